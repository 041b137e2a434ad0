package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// adapterName is the name of the child's adapter.
const adapterName = "campaign"

// client is the bot's adapter: a thin client of the platform.
type client struct {
	link     *link
	points   *points
	features adapter.Features
	ackFirst bool // mutant: acknowledge before the sink has returned
	control  func(line)
	gone     func() // the platform has hung up

	mu      sync.Mutex
	next    int
	waiting map[int]chan string
	sink    adapter.Sink // nil: Run is not running
	ctx     context.Context
	early   []line // events that came before Run
	calls   sync.WaitGroup
}

var _ adapter.Adapter = (*client)(nil)

func (*client) Name() string                 { return adapterName }
func (c *client) Features() adapter.Features { return c.features }

// listen reads what the platform says until it hangs up.
func (c *client) listen() {
	for {
		m, err := c.link.receive()
		if err != nil {
			c.gone()
			return
		}
		switch m.Type {
		case lineEvent:
			c.deliver(m)
		case lineSent:
			c.mu.Lock()
			answer := c.waiting[m.N]
			delete(c.waiting, m.N)
			c.mu.Unlock()
			if answer != nil {
				answer <- m.ID
			}
		default:
			c.control(m)
		}
	}
}

func (c *client) deliver(m line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sink == nil {
		if c.ctx == nil {
			c.early = append(c.early, m)
		}
		return // stopped: the platform offers it to the next process
	}
	sink, ctx := c.sink, c.ctx
	c.calls.Go(func() { c.offer(ctx, sink, m) })
}

func (c *client) offer(ctx context.Context, sink adapter.Sink, m line) {
	ack := func() {
		c.points.at("ack.before")
		if c.link.send(line{Type: lineAck, ID: m.ID}) == nil {
			c.points.at("ack.after")
		}
	}
	if c.ackFirst {
		ack()
	}
	ev := message(m.ID, m.Room, m.User, m.Text)
	ev.Time = m.Time
	err := sink(ctx, ev)
	if !c.ackFirst && (err == nil || errors.Is(err, adapter.ErrRejected)) {
		ack()
	}
}

// Run hands events to sink until ctx ends.
func (c *client) Run(ctx context.Context, sink adapter.Sink) error {
	c.mu.Lock()
	c.sink, c.ctx = sink, ctx
	early := c.early
	c.early = nil
	c.mu.Unlock()
	if err := c.link.send(line{Type: lineHello}); err != nil {
		return err
	}
	for _, m := range early {
		c.deliver(m)
	}
	<-ctx.Done()
	c.mu.Lock()
	c.sink = nil
	c.mu.Unlock()
	c.calls.Wait()
	return nil
}

// Send posts a message and waits for the platform's answer.
func (c *client) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	c.points.at("send.before")
	answer := make(chan string, 1)
	c.mu.Lock()
	c.next++
	n := c.next
	c.waiting[n] = answer
	c.mu.Unlock()
	err := c.link.send(line{Type: lineSend, N: n, Key: m.Key, Room: m.To.Room, Text: adapter.PlainText(m.Text), Time: time.Now()})
	if err != nil {
		return adapter.Ref{}, fmt.Errorf("campaign: send %s: %w", strconv.Itoa(n), err)
	}
	select {
	case id := <-answer:
		c.points.at("send.after")
		return adapter.Ref{Address: m.To, ID: id}, nil
	case <-ctx.Done():
		return adapter.Ref{}, ctx.Err()
	}
}
