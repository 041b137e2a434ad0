package bolt

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"

	"github.com/starlingbot/starling/brain"
)

var (
	// ErrInUse means that another process, or another Store of this one, holds
	// the file.
	ErrInUse = errors.New("the file is in use by another process")
	// ErrFile means that the file was refused, and left as it was: it is not a
	// store of this package, was cut short, is damaged, or was written by a
	// newer version. The text says which, and the cure.
	ErrFile = errors.New("the file is refused")
)

// refuse is an ErrFile with its reason and cure.
func refuse(path, format string, args ...any) error {
	return fmt.Errorf("bolt: open %q: %w and left untouched: %s", path, ErrFile, fmt.Sprintf(format, args...))
}

const restore = "restore the file from a copy taken while the bot was stopped, or import an export into a new file"

// explain adds the path and, where one is known, the cure to an error of bbolt.
// A closed database is brain.ErrClosed; nothing else becomes a certain error.
func (s *Store) explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return brain.ErrClosed
	case errors.Is(err, errRecord), errors.Is(err, errOrder):
		return damaged(s.path, err)
	case brain.Certain(err), errors.Is(err, errDamaged), errors.Is(err, errStopped):
		return err
	case is(err, syscall.ENOSPC), is(err, syscall.EFBIG), is(err, syscall.EDQUOT):
		return fmt.Errorf("bolt: %s: no room for %q to grow; free space on its disk (or raise the quota or the file size limit) and try again: %w", what, s.path, err)
	case is(err, syscall.EROFS), is(err, syscall.EACCES), is(err, syscall.EPERM):
		return fmt.Errorf("bolt: %s: %q cannot be written; make it and its file system writable and try again: %w", what, s.path, err)
	default:
		return fmt.Errorf("bolt: %s %q: %w", what, s.path, err)
	}
}

// is looks for an errno also where bbolt has put only its text into an error.
func is(err error, errno syscall.Errno) bool {
	return errors.Is(err, errno) || strings.Contains(err.Error(), errno.Error())
}

var (
	errDamaged = errors.New("the file is damaged")
	errStopped = errors.New("the store has stopped writing")
)

// damaged turns a panic of bbolt over a page it cannot read into an error.
func damaged(path string, panicked any) error {
	return fmt.Errorf("bolt: %q: %w (%v); stop the bot and %s", path, errDamaged, panicked, restore)
}

// stopped is the error of writes after one that bbolt cannot recover from.
func stopped(path string, cause error) error {
	return fmt.Errorf("bolt: %q: %w after this failure; close it, check the disk and open it again: %w", path, errStopped, cause)
}
