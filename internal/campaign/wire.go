package main

import (
	"bufio"
	"encoding/json"
	"net"
	"sync"
	"time"
)

// line is all that platform and bot say to each other: one JSON object a line.
type line struct {
	Type    string    `json:"t"`
	ID      string    `json:"id,omitempty"` // of an event
	Room    string    `json:"room,omitempty"`
	User    string    `json:"user,omitempty"`
	Text    string    `json:"text,omitempty"`
	Key     string    `json:"key,omitempty"`   // of a message
	Point   string    `json:"point,omitempty"` // a fail point, or a way for the store to fail
	Route   string    `json:"route,omitempty"`
	Err     string    `json:"err,omitempty"`
	N       int       `json:"n,omitempty"`
	Attempt int       `json:"attempt,omitempty"`
	Time    time.Time `json:"time,omitzero"`
}

// What the platform says.
const (
	lineEvent = "event" // ID, Room, User, Text, Time
	lineSent  = "sent"  // N: the answer to a send
	lineArm   = "arm"   // Point, N: block there at the N-th passing
	lineFault = "fault" // Point: how the store fails; N: for how many milliseconds
)

// What the bot's side says.
const (
	lineHello  = "hello"
	lineAck    = "ack"    // ID
	lineSend   = "send"   // N, Key, Room, Text
	lineBegin  = "begin"  // ID, Route, Attempt: a handler begins
	lineEnd    = "end"    // ID, Route, Err: it has returned
	lineEffect = "effect" // ID: an outside effect under Once
	linePass   = "pass"   // Point: passed for the first time in this process
	lineStuck  = "stuck"  // Point: blocked there, waiting to be killed
	lineUnsure = "unsure" // ID: a write of this delivery's record failed
)

// link sends and receives lines.
type link struct {
	conn net.Conn
	dec  *json.Decoder
	mu   sync.Mutex
}

func newLink(c net.Conn) *link {
	return &link{conn: c, dec: json.NewDecoder(bufio.NewReaderSize(c, 1<<16))}
}

// send writes a line; it may be called concurrently.
func (l *link) send(m line) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err = l.conn.Write(append(data, '\n'))
	return err
}

// receive reads a line; one caller at a time.
func (l *link) receive() (m line, err error) {
	err = l.dec.Decode(&m)
	return m, err
}
