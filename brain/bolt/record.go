package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/starlingbot/starling/brain"
)

// format is the version of the layout:
//
//	starling.meta   "format" -> "1"
//	starling.keys   key -> revision (8 bytes), expiry (8 bytes), value
//	starling.due    expiry (8 bytes), key -> nothing, for the keys with an expiry
//
// Numbers are big-endian. An expiry is in nanoseconds of Unix time, 0 for never.
// Revisions are the sequence of the bucket starling.keys.
const format = "1"

// headerLen is the length of the revision and the expiry before a value.
const headerLen = 16

// bucket names. They are functions because a constant cannot be a []byte and
// nothing here is a variable.
func metaName() []byte { return []byte("starling.meta") }
func keysName() []byte { return []byte("starling.keys") }
func dueName() []byte  { return []byte("starling.due") }

// record is one written key as it lies in the file; it may have expired.
type record struct {
	rev   uint64
	dies  int64 // Unix nanoseconds, 0 = never
	value []byte
}

// What a sound file never has. A damaged record is never taken for an absent key,
// which would be written anew.
var (
	errRecord = errors.New("a record of a length that none can have")
	errOrder  = errors.New("a key that is not in its place")
)

// readRecord decodes what keys holds; data is nil for an element that bbolt takes
// for a bucket, of which there are none.
func readRecord(data []byte) (record, error) {
	if len(data) < headerLen || len(data) > headerLen+brain.MaxValue {
		return record{}, errRecord
	}
	return record{
		rev:   binary.BigEndian.Uint64(data),
		dies:  int64(binary.BigEndian.Uint64(data[8:])),
		value: data[headerLen:],
	}, nil
}

// find returns the record of key; ok is false where there is none.
func find(keys *bbolt.Bucket, key []byte) (r record, ok bool, err error) {
	k, v := keys.Cursor().Seek(key) // Get does not tell a bucket from nothing
	if !bytes.Equal(k, key) {
		return record{}, false, nil
	}
	if r, err = readRecord(v); err != nil {
		return record{}, false, &brain.KeyError{Key: string(key), Err: err}
	}
	return r, true, nil
}

func (r record) lives(now int64) bool { return r.dies == 0 || now < r.dies }

// draft is an Op ready to be written: its value is a copy with room for the
// header, because a caller whose context ends may use its slice again while the
// request is still queued.
type draft struct {
	key    []byte
	data   []byte // header and value; nil for a delete
	cond   brain.Cond
	ttl    time.Duration
	delete bool
}

func newDraft(op *brain.Op) draft {
	d := draft{key: []byte(op.Key), cond: op.If, delete: op.Delete}
	if !op.Delete {
		d.ttl = brain.WholeSeconds(op.TTL)
		d.data = make([]byte, headerLen+len(op.Value))
		copy(d.data[headerLen:], op.Value)
	}
	return d
}

// holds reports whether the condition of d is met at now.
func (d *draft) holds(keys *bbolt.Bucket, now int64) (bool, error) {
	r, ok, err := find(keys, d.key)
	return d.cond.Holds(ok && r.lives(now), r.rev), err
}

// write puts d into the transaction and returns its revision.
func (d *draft) write(keys, due *bbolt.Bucket, now int64) (uint64, error) {
	rev, err := keys.NextSequence()
	if err != nil {
		return 0, err
	}
	old, ok, err := find(keys, d.key)
	if err != nil {
		return 0, err
	}
	if ok && old.dies != 0 {
		if err := due.Delete(dueKey(old.dies, d.key)); err != nil {
			return 0, err
		}
	}
	if d.delete {
		return rev, keys.Delete(d.key)
	}
	dies := int64(0)
	if d.ttl > 0 {
		if dies = now + int64(d.ttl); dies < 0 { // beyond the year 2262
			dies = 0
		}
	}
	binary.BigEndian.PutUint64(d.data, rev)
	binary.BigEndian.PutUint64(d.data[8:], uint64(dies))
	if err := keys.Put(d.key, d.data); err != nil {
		return 0, err
	}
	if dies != 0 {
		return rev, due.Put(dueKey(dies, d.key), nil)
	}
	return rev, nil
}

func dueKey(dies int64, key []byte) []byte {
	b := make([]byte, 8, 8+len(key))
	binary.BigEndian.PutUint64(b, uint64(dies))
	return append(b, key...)
}
