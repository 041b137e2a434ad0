package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// kind is a sort of event. Its text is "NAME N", where N counts the events of its room.
type kind struct {
	name    string
	share   int      // of 1000 events
	routes  []string // that run, in order; those of a delivery that came of the first one end in +
	replies []string // labels of what is said once: "ID LABEL VALUE", in order
}

// kinds are what is offered. "list" in the store of a room must in the end hold every add and long of it, once and in order;
// the tallies hold how many events there were and the sum of their numbers.
var kinds = []kind{
	{"add", 560, []string{"add"}, []string{"add"}},
	{"both", 80, []string{"add", "tally"}, []string{"add", "tally"}},
	{"early", 80, []string{"early"}, []string{"early", "late"}},
	{"once", 60, []string{"once"}, []string{"once"}},
	{"retry", 60, []string{"retry"}, []string{"done"}},
	{"slow", 20, []string{"slow"}, []string{"start", "end"}},
	{"long", 20, []string{"long"}, []string{"long"}},
	{"tell", 20, []string{"tell"}, []string{"tell", "told"}},             // Bot.Send, to another room
	{"later", 20, []string{"later"}, []string{"later", "due"}},           // Request.SendLater
	{"again", 20, []string{"again", "echo+"}, []string{"again", "echo"}}, // Request.Again
	{"ask", 20, []string{"ask", "ask+"}, []string{"asked", "sure"}},      // a question, which the platform answers
	{"over", 6, []string{"over"}, nil},                                   // ends in the bot's own failure text
	{"chatter", 34, nil, nil},                                            // nothing matches
}

// yes is the answer to a question. It is offered when the question was posted.
var yes = kind{"yes", 0, []string{"answer"}, nil}

// tallies are the names of what is counted, and how often an event of a kind counts there.
var tallies = map[string]struct {
	kind string
	each int
}{
	"tally": {"both", 2}, "early": {"early", 1}, "retry": {"retry", 1}, "slow": {"slow", 1},
	"tell": {"tell", 1}, "later": {"later", 1}, "again": {"again", 1}, "echo": {"again", 1}, "ask": {"ask", 1},
}

const (
	slowFor     = 600 * time.Millisecond
	longFor     = 60 * time.Millisecond
	overTimeout = 200 * time.Millisecond
	overFor     = 1500 * time.Millisecond // well past time-out and grace
	grace       = 300 * time.Millisecond
	retryAfter  = 30 * time.Millisecond
	againAfter  = 200 * time.Millisecond // after a failure of the store
	laterFor    = 300 * time.Millisecond
)

// beside is the room to which the bot says something by itself on account of an event in room.
func beside(room string) string { return "beside-" + room }

// tally is a count and a sum: enough to see that every event was counted once.
type tally struct{ Count, Sum int }

// again asks for another run where the store failed.
func again(err error) error {
	if err == nil || errors.Is(err, handler.ErrEnded) {
		return err
	}
	return &handler.RetryError{Err: err, After: againAfter}
}

// sender is the Send of a bot.
type sender func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error)

// asked are the arguments of the command that asks before it runs.
type asked struct {
	N  int    `arg:"n"`
	ID string `arg:"id"` // of its event, which is on the question too
}

// routes registers what the kinds run.
func routes(rt *handler.Router, p *points, tell func(line), send sender) {
	rt.Use(func(next handler.Handler) handler.Handler {
		return handler.Func(func(ctx context.Context, r *handler.Request) error {
			route := r.Route.ID
			if strings.Contains(r.Delivery, "#") {
				route += "+"
			}
			p.at("handler.before")
			tell(line{Type: lineBegin, ID: r.Event.ID, Route: route, Attempt: r.Attempt})
			err := next.Handle(ctx, r)
			if user := (*handler.UserError)(nil); (route == "ask" || route == yes.routes[0]) && !errors.As(err, &user) {
				err = again(err) // Starling's own handlers
			}
			p.at("handler.after")
			end := line{Type: lineEnd, ID: r.Event.ID, Route: route}
			if err != nil {
				end.Err = err.Error()
			}
			tell(end)
			return err
		})
	})
	hear := func(id, expr string, f handler.Func) *handler.Route {
		route := rt.Hear(expr, f)
		route.ID = id
		return route
	}
	hear("add", `^(add|both) \d+$`, appendTo("add", 0)).Ordered = true
	hear("tally", `^both \d+$`, func(ctx context.Context, r *handler.Request) error {
		for range 2 { // two changes of one key count twice
			if err := count(ctx, r, "tally"); err != nil {
				return err
			}
		}
		return say(ctx, r, "tally", 0)
	})
	hear("early", `^early \d+$`, func(ctx context.Context, r *handler.Request) error {
		if err := say(ctx, r, "early", 0); err != nil {
			return err
		}
		if err := count(ctx, r, "early"); err != nil {
			return err
		}
		return say(ctx, r, "late", 0)
	})
	hear("once", `^once \d+$`, func(ctx context.Context, r *handler.Request) error {
		n, err := handler.Once(ctx, r, "effect", func(context.Context) (int, error) {
			tell(line{Type: lineEffect, ID: r.Event.ID})
			return number(r), nil
		})
		if errors.Is(err, handler.ErrUnknown) {
			return say(ctx, r, "unknown", 0)
		}
		if err != nil {
			return again(err)
		}
		return say(ctx, r, "once", n)
	})
	hear("retry", `^retry \d+$`, func(ctx context.Context, r *handler.Request) error {
		if r.Attempt == 1 {
			if err := say(ctx, r, "first", 0); err != nil {
				return err
			}
			return &handler.RetryError{Err: errors.New("not at the first time"), After: retryAfter}
		}
		if err := count(ctx, r, "retry"); err != nil {
			return err
		}
		return say(ctx, r, "done", 0)
	})
	hear("slow", `^slow \d+$`, func(ctx context.Context, r *handler.Request) error {
		if err := say(ctx, r, "start", 0); err != nil {
			return err
		}
		if err := sleep(ctx, slowFor); err != nil {
			return err
		}
		if err := count(ctx, r, "slow"); err != nil {
			return err
		}
		return say(ctx, r, "end", 0)
	}).Background = true
	hear("tell", `^tell \d+$`, func(ctx context.Context, r *handler.Request) error {
		if err := count(ctx, r, "tell"); err != nil {
			return err
		}
		if err := say(ctx, r, "tell", 0); err != nil {
			return err
		}
		to := adapter.Address{Adapter: adapterName, Room: beside(r.Event.Room.ID)}
		_, err := send(ctx, &adapter.Message{To: to, Text: adapter.Format("%s told 0", r.Event.ID), Key: "told " + r.Event.ID})
		return again(err)
	})
	hear("later", `^later \d+$`, func(ctx context.Context, r *handler.Request) error {
		if err := count(ctx, r, "later"); err != nil {
			return err
		}
		if err := again(r.SendLater(ctx, time.Now().Add(laterFor), &adapter.Message{Text: adapter.Format("%s due 0", r.Event.ID)})); err != nil {
			return err
		}
		return say(ctx, r, "later", 0)
	})
	hear("again", `^again \d+$`, func(ctx context.Context, r *handler.Request) error {
		if err := count(ctx, r, "again"); err != nil {
			return err
		}
		if err := again(r.Again(ctx, "echo "+strconv.Itoa(number(r)))); err != nil {
			return err
		}
		return say(ctx, r, "again", 0)
	})
	rt.Respond(`^echo \d+$`, handler.Func(func(ctx context.Context, r *handler.Request) error {
		if err := count(ctx, r, "echo"); err != nil {
			return err
		}
		return say(ctx, r, "echo", 0)
	})).ID = "echo"
	rt.Add(handler.Command[asked]{
		Name: "ask", Summary: "asks before it counts",
		Confirm: func(a asked) string { return a.ID + " asked 0" },
		Run: func(ctx context.Context, r *handler.Request, a asked) error {
			if err := countN(ctx, r, "ask", a.N); err != nil {
				return err
			}
			return say(ctx, r, "sure", 0)
		},
	})
	hear("long", `^long \d+$`, appendTo("long", longFor)).Ordered = true
	hear("over", `^over \d+$`, func(ctx context.Context, r *handler.Request) error {
		_, err := handler.Change(context.WithoutCancel(ctx), r, "zombie/"+r.Event.ID, func(n *int) error {
			*n = 1
			time.Sleep(overFor) // past its grace: the event ends without it, and its change must not happen
			return nil
		})
		return err
	}).Timeout = overTimeout
}

// perList is how many numbers a list of a room begins anew after: with one list for all, its size would be what is measured.
const perList = 500

// appendTo puts the event's number into the room's list and says how long the list is now.
func appendTo(label string, wait time.Duration) handler.Func {
	return func(ctx context.Context, r *handler.Request) error {
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		n := number(r)
		list, err := handler.Change(ctx, r, fmt.Sprintf("list/%s/%06d", r.Event.Room.ID, n/perList), func(l *[]int) error { *l = append(*l, n); return nil })
		if err != nil {
			return again(err)
		}
		return say(ctx, r, label, len(list))
	}
}

// count adds the event to a tally of its room.
func count(ctx context.Context, r *handler.Request, name string) error {
	return countN(ctx, r, name, number(r))
}

func countN(ctx context.Context, r *handler.Request, name string, n int) error {
	_, err := handler.Change(ctx, r, name+"/"+r.Event.Room.ID, func(t *tally) error { t.Count++; t.Sum += n; return nil })
	return again(err)
}

func say(ctx context.Context, r *handler.Request, label string, value int) error {
	return again(r.Reply(ctx, "%s %s %d", r.Event.ID, label, value))
}

func number(r *handler.Request) int {
	_, n, _ := strings.Cut(r.Event.Text, " ")
	i, _ := strconv.Atoi(n) // the routes' expressions let digits through alone
	return i
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return again(context.Cause(ctx))
	}
}

// failureText is what the bot says of an event that failed.
func failureText(id string) string {
	return fmt.Sprintf("Sorry, that went wrong. My log has it under %s.", handler.CorrelationID(adapterName+"/"+id))
}

// message makes an event of user.
func message(id, room, user, text string) *adapter.Event {
	return &adapter.Event{
		ID: id, Kind: adapter.KindMessage, Text: text, Room: adapter.Room{ID: room, Kind: adapter.RoomChannel},
		User: adapter.User{ID: user, Name: "alice", Kind: adapter.KindMember},
	}
}
