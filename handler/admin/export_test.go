package admin

import (
	"context"
	"io"

	"github.com/starlingbot/starling/brain"
)

// Export is the file of backup.
func Export(ctx context.Context, b *brain.Brain) io.ReadCloser { return export(ctx, b) }
