package adapterstage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// Faulty is a platform where 30 % of the calls that post fail.
type Faulty struct {
	Rooms []string
	Each  int             // messages in each room
	Ways  []func()        // each lets the next call that posts fail in its way
	Posts func() []string // the texts of what was posted
}

// Finding is an adapter that knows whether it has posted a message.
type Finding interface {
	adapter.Adapter
	adapter.Finder
}

// Send is R3: it sends to all rooms at once, as the bot's outbox does, and each message must be posted once.
func (f Faulty) Send(t *testing.T, a Finding) {
	t.Helper()
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(1, 2))
	faults, unknown := 0, 0
	var wg sync.WaitGroup
	for _, room := range f.Rooms {
		wg.Go(func() {
			for n := range f.Each {
				mu.Lock()
				if rnd.IntN(100) < 30 {
					f.Ways[rnd.IntN(len(f.Ways))]()
					faults++
				}
				mu.Unlock()
				m := &adapter.Message{To: adapter.Address{Adapter: a.Name(), Room: room}, Text: fmt.Sprintf("%s message %d.", room, n), Key: fmt.Sprint(room, "/", n)}
				doubts, err := post(t, a, m)
				if err != nil {
					t.Errorf("%s: %v", m.Text, err)
					return
				}
				mu.Lock()
				unknown += doubts
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, text := range f.Posts() {
		count[text]++
	}
	offered, twice := len(f.Rooms)*f.Each, 0
	for _, n := range count {
		if n > 1 {
			twice++
		}
	}
	lost := offered - len(count)
	t.Logf(`{"run":"R3 %s","offered":%d,"faults":%d,"unknown_outcomes":%d,"lost":%d,"twice":%d}`, a.Name(), offered, faults, unknown, lost, twice)
	require.Greater(t, faults, offered/4)
	require.Greater(t, unknown, offered/20)
	require.Zero(t, lost)
	require.Zero(t, twice)
}

// post sends a message until it is posted, and finds it again first where that is in doubt. It gives how often it was.
func post(t *testing.T, a Finding, m *adapter.Message) (doubts int, err error) {
	for range 200 { // far more than any of them needs
		var found bool
		if doubts > 0 {
			if _, found, err = a.Find(t.Context(), m); err != nil {
				Wait(time.Second)
				continue
			}
		}
		if found {
			return doubts, nil
		}
		var limit *adapter.RateLimitError
		switch _, err = a.Send(t.Context(), m); {
		case err == nil:
			return doubts, nil
		case errors.As(err, &limit):
			Wait(max(limit.RetryAfter, 100*time.Millisecond))
		case adapter.OutcomeOf(err) == adapter.NotYet:
			Wait(250 * time.Millisecond)
		case adapter.OutcomeOf(err) == adapter.Unknown:
			doubts++
			Wait(250 * time.Millisecond)
		default:
			return doubts, err
		}
	}
	return doubts, err
}
