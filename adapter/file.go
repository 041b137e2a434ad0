package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
)

// File is a file that came with an event or goes with a message.
type File struct {
	ID   string `json:"id,omitempty"` // the platform's, on a file that came in: [Opener] opens it again after a restart
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"` // media type, such as image/png; empty if unknown
	Size int64  `json:"size,omitempty"` // bytes; 0 if unknown
	// Open gives the content; the caller closes it. It may be called more than once. It survives storage where Data does:
	// else a message that the death of the process left unsent is sent when its handler runs again, or not at all.
	Open func(context.Context) (io.ReadCloser, error) `json:"-"`
	// Data is the content of a small file that was made by [NewFile]; it is stored with the message.
	Data []byte `json:"data,omitempty"`
}

// NewFile makes a file of its content, which survives storage. It is for what fits into a record of the store, with the rest
// of its message: some hundred KiB. What is larger has Open alone.
func NewFile(name, mediaType string, data []byte) File {
	f := File{Name: name, Type: mediaType, Size: int64(len(data)), Data: data}
	f.Open = f.open
	return f
}

func (f *File) open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.Data)), nil
}

// UnmarshalJSON reads a file; one with Data can be opened.
func (f *File) UnmarshalJSON(data []byte) error {
	type plain File
	if err := json.Unmarshal(data, (*plain)(f)); err != nil {
		return err
	}
	if f.Open = nil; f.Data != nil {
		*f = NewFile(f.Name, f.Type, f.Data).with(f.ID)
	}
	return nil
}

func (f File) with(id string) File {
	f.ID = id
	return f
}
