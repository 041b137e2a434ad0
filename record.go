package starling

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// recordVersion is the version of all that the core stores. A record of another version is put aside as a dead letter.
const recordVersion = 1

// Where the core keeps its records in the store.
const (
	inboxPrefix = "_/inbox/" // + adapter/room/thread/sequence: an accepted event
	seenPrefix  = "_/seen/"  // + adapter/event id: it was accepted
	runPrefix   = "_/run/"   // + delivery: how far its handlers are
	outPrefix   = "_/out/"   // + key: a message of Bot.Send that is on its way
	sentPrefix  = "_/sent/"  // + key: what became of it
	deadPrefix  = "_/dead/"  // + id: what could not be handled
	probeKey    = "_/probe"  // written to find out whether the store works again
)

// seenFor is how long an event is recognised when it is delivered again.
const seenFor = 24 * time.Hour

// inboxRecord is an accepted event that is not yet handled.
type inboxRecord struct {
	Version  int            `json:"v"`
	Delivery string         `json:"delivery"`
	By       string         `json:"by"` // the process that accepted it
	Accepted time.Time      `json:"accepted"`
	Routes   []string       `json:"routes"` // ids, in order
	Event    *adapter.Event `json:"event"`
	Grant    *handler.Grant `json:"grant,omitempty"` // of a person who completed or confirmed it
}

// runRecord says how far the handlers of a delivery are. Whoever holds its revision runs the delivery: every effect
// rewrites it at that revision, which is the fence.
type runRecord struct {
	Version int                        `json:"v"`
	Nonce   string                     `json:"nonce"` // of the process and the write: tells an own write of unknown outcome
	Attempt int                        `json:"attempt,omitempty"`
	Begun   []string                   `json:"begun,omitempty"` // routes with OnCrashReport that have begun
	Done    []string                   `json:"done,omitempty"`  // routes that have ended
	Slots   map[string]slotRecord      `json:"slots,omitempty"`
	Changes map[string]json.RawMessage `json:"changes,omitempty"` // value by route and key
	Onces   map[string]onceRecord      `json:"onces,omitempty"`   // by route and key
	// Exclusive are the keys of what it changes alone.
	Exclusive []string `json:"exclusive,omitempty"`
}

// slotRecord is one message that a delivery says.
type slotRecord struct {
	State  slotState          `json:"state"`
	Parts  []*adapter.Message `json:"parts,omitempty"` // as rendered; dropped once sent
	Digest string             `json:"digest,omitempty"`
	Refs   []adapter.Ref      `json:"refs,omitempty"` // of the parts that were sent
	Reason string             `json:"reason,omitempty"`
	Turn   int                `json:"turn,omitempty"` // in the order of what the delivery says
}

type slotState string

const (
	slotAttempted slotState = "attempted" // being sent: nobody knows how far
	slotSent      slotState = "sent"
	slotUnknown   slotState = "unknown" // AtMostOnce, and nobody can know
	slotDead      slotState = "dead"
)

// onceRecord is an outside effect: started without a result is of unknown outcome.
type onceRecord struct {
	Done  bool            `json:"done,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// clone copies r so far that adding to the copy leaves r alone.
func (r *runRecord) clone() *runRecord {
	c := *r
	c.Begun = r.Begun[:len(r.Begun):len(r.Begun)]
	c.Done = r.Done[:len(r.Done):len(r.Done)]
	c.Exclusive = r.Exclusive[:len(r.Exclusive):len(r.Exclusive)]
	c.Slots, c.Changes, c.Onces = maps.Clone(r.Slots), maps.Clone(r.Changes), maps.Clone(r.Onces)
	return &c
}

// put sets a key of a map that may be nil.
func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}

// decode reads a record of this version.
func decode(data []byte, into any) error {
	var v struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("the record cannot be read: %w", err)
	}
	if v.Version != recordVersion {
		return fmt.Errorf("the record has version %d and this program reads version %d", v.Version, recordVersion)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the record cannot be read: %w", err)
	}
	if r, ok := into.(interface{ check() error }); ok {
		return r.check()
	}
	return nil
}

// errNoMessage is what is wrong with a record that says nothing where it should.
var errNoMessage = errors.New("the record has a message without content")

func (r *runRecord) check() error {
	for _, slot := range r.Slots {
		if slices.Contains(slot.Parts, nil) {
			return errNoMessage
		}
	}
	return nil
}

func (r *outRecord) check() error {
	switch r.State {
	case slotAttempted, slotSent, slotUnknown, slotDead:
	default:
		return fmt.Errorf("the record has the state %q, which no message has", r.State)
	}
	if slices.Contains(r.Parts, nil) {
		return errNoMessage
	}
	return nil
}

// deliveryID names the delivery of an event: the same for every process and after every restart.
func deliveryID(ev *adapter.Event) string { return ev.Adapter + "/" + ev.ID }

func conversationPrefix(a adapter.Address) string {
	return inboxPrefix + brain.Key(segment(a.Adapter), segment(a.Room), segment(a.Thread)) + "/"
}

func inboxKey(a adapter.Address, seq uint64) string {
	return conversationPrefix(a) + fmt.Sprintf("%016x", seq)
}

func seenKey(ev *adapter.Event) string {
	return seenPrefix + brain.Key(segment(ev.Adapter), segment(ev.ID))
}

func runKey(delivery string) string { return runPrefix + brain.Key(segment(delivery)) }

func outKey(key string) string { return outPrefix + brain.Key(segment(key)) }

// sentKey is the key of what became of the message with an outKey.
func sentKey(out string) string { return sentPrefix + strings.TrimPrefix(out, outPrefix) }

// maxSegment bounds one part of a key of the core in bytes, so that all of them together fit.
const maxSegment = 120

// segment gives s, or its digest where it would be too long as a part of a key.
func segment(s string) string {
	if len(brain.Key(s)) <= maxSegment {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "~" + hex.EncodeToString(sum[:])
}

// digest names the content of rendered parts; where they go and what they say counts, Key and Origin do not.
func digest(parts []*adapter.Message) (string, error) {
	var buf [1024]byte
	b := buf[:0]
	for _, p := range parts {
		c := *p
		c.Key, c.Origin = "", ""
		b = append(b, c.To.Adapter...)
		b = append(b, 0)
		b = append(b, c.To.Room...)
		b = append(b, 0)
		b = append(b, c.To.Thread...)
		b = append(b, 0)
		b = append(b, c.Text...)
		b = append(b, 0)
		c.To, c.Text = adapter.Address{}, ""
		if !plain(&c) {
			rest, err := json.Marshal(&c)
			if err != nil {
				return "", fmt.Errorf("the message cannot be stored: %w", err)
			}
			b = append(b, rest...)
		}
		b = append(b, 1)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12]), nil
}

// plain tells whether m has nothing beside address and text.
func plain(m *adapter.Message) bool {
	return len(m.Fields) == 0 && len(m.Buttons) == 0 && len(m.Files) == 0 && m.Color == "" && m.Only == "" && m.Notify == "" &&
		!m.Previews && len(m.Native) == 0 && !m.AtMostOnce
}

// blank tells whether a text shows nothing.
func blank(text string) bool {
	return text == "" || len(text) <= blankNodes && adapter.PlainText(text) == ""
}

// blankNodes bounds the length of a text that consists of a few empty pieces of data.
const blankNodes = 64

// empty tells whether m says nothing.
func empty(m *adapter.Message) bool {
	return blank(m.Text) && len(m.Fields) == 0 && len(m.Buttons) == 0 && len(m.Files) == 0 && len(m.Native) == 0
}
