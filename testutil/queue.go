package testutil

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Deliver makes the platform deliver an event, which fills in what is missing: ID, Time, Order, MessageID of a message. It
// gives the event as the bot will get it.
func (c *Chat) Deliver(ev *adapter.Event) *adapter.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deliver(ev)
}

func (c *Chat) deliver(ev *adapter.Event) *adapter.Event {
	ev = cloneEvent(ev)
	if ev.ID == "" {
		ev.ID = c.id("e")
	}
	if ev.Time.IsZero() {
		ev.Time = time.Now().UTC().Round(0)
	}
	if ev.Order == "" {
		c.count++
		ev.Order = fmt.Sprintf("%016d", c.count)
	}
	if ev.MessageID == "" && ev.Kind == adapter.KindMessage {
		ev.MessageID = c.id("m")
	}
	ev.Adapter, ev.BotName = c.cfg.Name, c.cfg.BotName
	if ev.Kind == adapter.KindMessage || ev.Kind == adapter.KindEdit {
		ev.Mentions = c.mentions(ev)
	}
	c.queue = append(c.queue, &pending{ev: ev})
	c.changed()
	return cloneEvent(ev)
}

// mentions finds the @names in a text, and tells the event that the bot is among them.
func (c *Chat) mentions(ev *adapter.Event) []adapter.User {
	found := ev.Mentions
	text := strings.ToLower(ev.Text)
	for _, u := range c.users {
		if _, after, ok := strings.Cut(text, "@"+strings.ToLower(u.Name)); !ok || after != "" && strings.ContainsAny(after[:1], "abcdefghijklmnopqrstuvwxyz0123456789_-") {
			continue
		}
		if u.ID == c.bot.ID {
			ev.Mentioned = true
		}
		if !slices.Contains(found, u) {
			found = append(found, u)
		}
	}
	return found
}

// Redeliver makes the platform deliver an event that was acknowledged once more, as platforms do that did not get the
// acknowledgement.
func (c *Chat) Redeliver(ev *adapter.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, &pending{ev: cloneEvent(ev)})
	c.changed()
}

// next takes the first event that can be delivered now, for conn. Otherwise it tells when to look again at the latest; 0:
// when there are news. c.mu is held.
func (c *Chat) next(conn *Conn) (*pending, time.Duration) {
	now := time.Now()
	busy := map[adapter.Address]bool{} // conversations with an event under way
	wait := time.Duration(0)
	for _, p := range c.queue {
		if p.conn != nil {
			busy[p.ev.Address()] = true
		}
	}
	for _, p := range c.queue {
		switch {
		case p.conn != nil || busy[p.ev.Address()]:
		case p.due.After(now):
			if d := p.due.Sub(now); wait == 0 || d < wait {
				wait = d
			}
		default:
			p.conn = conn
			conn.giving++
			return p, 0
		}
	}
	return nil, wait
}

// give delivers p over conn.
func (c *Chat) give(ctx context.Context, conn *Conn, p *pending, sink adapter.Sink) {
	err := sink(ctx, cloneEvent(p.ev))
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.giving--
	c.changed()
	if p.conn != conn {
		return // the connection was cut: the platform never got the answer
	}
	p.conn = nil
	if err == nil || errors.Is(err, adapter.ErrRejected) {
		c.queue = slices.DeleteFunc(c.queue, func(o *pending) bool { return o == p })
		if err != nil {
			c.rejected++
		}
	} else {
		p.due = time.Now().Add(c.cfg.Redeliver)
	}
}

// cloneEvent copies ev so far that a bot cannot change the platform's copy.
func cloneEvent(ev *adapter.Event) *adapter.Event {
	c := *ev
	c.Mentions, c.Files, c.Raw = slices.Clone(ev.Mentions), slices.Clone(ev.Files), slices.Clone(ev.Raw)
	c.Invocation, c.Click, c.Reaction, c.Signal = clone(ev.Invocation), clone(ev.Click), clone(ev.Reaction), clone(ev.Signal)
	return &c
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
