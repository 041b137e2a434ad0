package brain

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLine bounds one line of an export in bytes: the largest value in base64
// and its key, with room to spare.
const maxLine = 1 << 20

// derived are the kinds of the core's keys that mean nothing in another store
// or at another time: what was seen, which ticks were claimed, who holds what.
func derived(key string) bool {
	return strings.HasPrefix(key, "_/seen/") || strings.HasPrefix(key, "_/tick/") || strings.HasPrefix(key, leasePrefix)
}

// record is one line of an export.
type record struct {
	Key  string          `json:"k"`
	JSON json.RawMessage `json:"v,omitempty"`   // the value, when it is JSON
	Data *[]byte         `json:"b64,omitempty"` // else, in base64
	TTL  int64           `json:"ttl,omitempty"` // seconds left; 0 = permanent
}

// Export writes every live key of the namespace to w, one JSON object a line, in
// key order:
//
//	{"k":"karma/go","v":{"score":3}}
//	{"k":"blob","b64":"AP8=","ttl":3600}
//
// Keys are relative to the namespace. A value that is compact JSON goes in as it
// is ("v"), any other in base64 ("b64"), so that [Brain.Import] restores the same
// bytes. "ttl" is the time left in seconds, rounded up; it is there when the
// store can tell (see [Expirer], all engines of this module can), else a key
// with a TTL is exported as permanent.
//
// Left out are the kinds that mean nothing elsewhere: "_/seen/", "_/tick/" and
// "_/lease/". Revisions are not portable and not exported. Like List it is no
// snapshot: stop the bot first if one is needed.
func (b *Brain) Export(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	ages, tells := As[Expirer](b.store)
	for e, err := range b.store.List(ctx, b.prefix) {
		if err != nil {
			return fmt.Errorf("brain: export: %w", err)
		}
		if derived(e.Key) {
			continue
		}
		rec := record{Key: e.Key[len(b.prefix):]}
		if tells {
			left, err := ages.Remaining(ctx, e.Key)
			if errors.Is(err, ErrNotFound) {
				continue // gone since it was listed
			}
			if err != nil {
				return fmt.Errorf("brain: export %q: %w", e.Key, err)
			}
			rec.TTL = int64(WholeSeconds(left) / time.Second)
		}
		if err := writeRecord(out, rec, e.Value); err != nil {
			return fmt.Errorf("brain: export %q: %w", e.Key, err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("brain: export: %w", err)
	}
	return nil
}

func writeRecord(w *bufio.Writer, rec record, value []byte) error {
	var compact bytes.Buffer
	inside := slices.Concat([]byte("["), value, []byte("]")) // as deep as in the line, which must be read again
	if utf8.Valid(value) && json.Valid(value) && json.Compact(&compact, inside) == nil && bytes.Equal(compact.Bytes(), inside) && !bytes.ContainsAny(value, "\r\n") {
		rec.JSON = value
	} else {
		rec.Data = &value
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(rec)
}

// Import reads what [Brain.Export] wrote and writes every key of it into the
// namespace of b, whatever was there. Keys that r does not have stay as they
// are.
//
// It is not one step: 16 keys at a time are. After an error, which names the
// line, the lines before it may have been written; to run it again does no harm.
// It refuses unknown fields, derived kinds (see Export) and, in a namespace, keys
// under "_/". A "ttl" counts from now.
func (b *Brain) Import(ctx context.Context, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var batch []Op
	size, n := 0, 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := b.store.Apply(ctx, batch...)
		batch, size = batch[:0], 0
		return err
	}
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		op, err := b.readRecord(lines.Bytes())
		if err != nil {
			return fmt.Errorf("brain: import: line %d: %w", n, err)
		}
		if len(batch) == MaxOps || size+len(op.Key)+len(op.Value) > MaxApply || inBatch(batch, op.Key) {
			if err := flush(); err != nil {
				return fmt.Errorf("brain: import: before line %d: %w", n, err)
			}
		}
		batch = append(batch, op)
		size += len(op.Key) + len(op.Value)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("brain: import: after line %d: %w", n, err)
	}
	if err := flush(); err != nil {
		return fmt.Errorf("brain: import: up to line %d: %w", n, err)
	}
	return nil
}

func inBatch(batch []Op, key string) bool {
	for i := range batch {
		if batch[i].Key == key {
			return true
		}
	}
	return false
}

func (b *Brain) readRecord(line []byte) (Op, error) {
	var rec record
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rec); err != nil {
		return Op{}, fmt.Errorf("not a line of an export of this version: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Op{}, errors.New("more than one JSON value in the line")
	}
	check := CheckKey
	if b.prefix != "" {
		check = b.CheckKey
	}
	if err := check(rec.Key); err != nil {
		return Op{}, err
	}
	op := Op{Key: b.Key(rec.Key), If: Any, TTL: time.Duration(rec.TTL) * time.Second}
	if derived(op.Key) {
		return Op{}, &KeyError{Key: rec.Key, Reason: "this kind is not imported; delete the line", Err: ErrInvalidKey}
	}
	switch {
	case rec.TTL < 0 || rec.TTL > int64(math.MaxInt64/time.Second):
		return Op{}, &KeyError{Key: rec.Key, Reason: fmt.Sprintf("ttl of %d seconds", rec.TTL), Err: ErrInvalidOp}
	case rec.JSON != nil && rec.Data == nil:
		op.Value = bytes.Clone(rec.JSON)
	case rec.JSON == nil && rec.Data != nil:
		op.Value = *rec.Data
	default:
		return Op{}, errors.New(`it has not exactly one of "v" and "b64"`)
	}
	return op, CheckOps([]Op{op})
}
