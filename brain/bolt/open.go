package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Config says which file to open and how. Only Path is required.
type Config struct {
	// Path of the file. Its folder must exist; the file is made with mode 0600
	// if it does not. Required.
	Path string
	// LockTimeout is how long Open waits for another process to let go of the
	// file before it returns ErrInUse. Default 1 s.
	LockTimeout time.Duration
	// SweepEvery is the time between two sweeps that remove expired keys from
	// the file. They are invisible at once, whatever it is. Default 10 s.
	SweepEvery time.Duration
}

// Open opens the store in the file at cfg.Path, or makes it.
//
// Errors: [ErrInUse] when another process holds the file, [ErrFile] when it is
// refused, and those of the operating system.
func Open(cfg Config) (*Store, error) {
	if cfg.Path == "" {
		return nil, errors.New("bolt: open: Config.Path is empty; give the path of the file")
	}
	if cfg.LockTimeout <= 0 {
		cfg.LockTimeout = time.Second
	}
	if cfg.SweepEvery <= 0 {
		cfg.SweepEvery = 10 * time.Second
	}
	if _, err := os.Stat(cfg.Path); errors.Is(err, fs.ErrNotExist) {
		if err := create(cfg.Path); err != nil {
			return nil, err
		}
	}
	if err := inspect(cfg.Path); err != nil {
		return nil, err
	}
	db, file, err := openFile(cfg.Path, cfg)
	if err != nil {
		return nil, err
	}
	if err := checkPages(file, cfg.Path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := checkFormat(db, cfg.Path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return start(db, file, cfg), nil
}

// openFile is bbolt.Open without its panics: bbolt asserts what it reads, and a
// damaged page fails that. The file is returned too, for abandon.
func openFile(path string, cfg Config) (db *bbolt.DB, file *os.File, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, errors.Join(refuse(path, "it is damaged (%v); %s", r, restore), abandon(file))
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: cfg.LockTimeout,
		// The array takes the first free page that fits. The map takes any,
		// which leaves no room for the list itself: after 1,000,000 events of a
		// bot the file had 1.1 GiB instead of 0.26, four fifths of it free, and
		// a commit took four times as long.
		FreelistType: bbolt.FreelistArrayType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			// Never O_CREATE: create does that, and an empty file here would
			// be one that was deleted under us.
			f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			file = f
			return f, err
		},
	})
	switch {
	case err == nil:
		return db, file, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, file, fmt.Errorf("bolt: open %q: %w: one process holds a file at a time; stop the other one, or give this one a file of its own", path, ErrInUse)
	default:
		return nil, file, openError(path, err)
	}
}

// checkPages refuses a file whose pages are in disorder. Nobody writes it now: the
// lock is ours.
func checkPages(file *os.File, path string) error {
	info, err := file.Stat()
	if err != nil {
		return openError(path, err)
	}
	m, err := newestMeta(file, info.Size())
	if err == nil {
		err = m.checkTree(file)
	}
	if err != nil {
		return refuse(path, "it is damaged (%v); %s", err, restore)
	}
	return nil
}

// checkFormat refuses a bbolt file that is not a store of this version. It only
// reads.
func checkFormat(db *bbolt.DB, path string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = refuse(path, "it is damaged (%v); %s", r, restore)
		}
	}()
	return db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(metaName())
		if b == nil {
			return refuse(path, "it is a bbolt file of another program; give another path")
		}
		switch v := string(b.Get([]byte("format"))); {
		case v != format:
			return refuse(path, "it has format %q and this program knows %q; update the program", v, format)
		case tx.Bucket(keysName()) == nil || tx.Bucket(dueName()) == nil:
			return refuse(path, "a bucket is missing; %s", restore)
		}
		return nil
	})
}

// create makes a new store at path, complete or not at all: it is built under
// another name and linked, which never replaces a file that somebody else made
// in the meantime.
func create(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return openError(path, err)
	}
	temp := f.Name()
	defer func() { err = errors.Join(err, os.Remove(temp)) }()
	if err := f.Close(); err != nil {
		return openError(path, err)
	}
	db, err := bbolt.Open(temp, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return openError(path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(metaName())
		if err != nil {
			return err
		}
		if err := b.Put([]byte("format"), []byte(format)); err != nil {
			return err
		}
		_, err1 := tx.CreateBucket(keysName())
		_, err2 := tx.CreateBucket(dueName())
		return errors.Join(err1, err2)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return openError(path, err)
	}
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links: nothing better than this.
		if err := copyNew(temp, path); err != nil {
			return openError(path, err)
		}
	}
	return syncFolder(filepath.Dir(path))
}

// copyNew copies a small file to a path that must not exist.
func copyNew(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder makes the new name durable. Where folders cannot be synced (some
// systems), the name is as durable as the system makes it.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return openError(dir, err)
	}
	_ = d.Sync()
	return d.Close()
}

// abandon gives back the lock on a file after a panic of bbolt, whose inner locks
// may be held for ever. The mapping stays until the process ends.
func abandon(file *os.File) error {
	if file == nil {
		return nil
	}
	return errors.Join(unlock(file), file.Close())
}
