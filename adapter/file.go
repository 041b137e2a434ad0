package adapter

import (
	"context"
	"io"
)

// File is a file that came with an event or goes with a message.
type File struct {
	ID   string `json:"id,omitempty"` // the platform's, on a file that came in: [Opener] opens it again after a restart
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"` // media type, such as image/png; empty if unknown
	Size int64  `json:"size,omitempty"` // bytes; 0 if unknown
	// Open gives the content; the caller closes it. It may be called more than once. It does not survive storage.
	Open func(context.Context) (io.ReadCloser, error) `json:"-"`
}
