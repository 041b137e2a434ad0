package roles

import (
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// account is what a user's key is made of; to look it up takes no allocation.
type account struct{ adapter, tenant, id string }

// answer is what is known of an account until it is too old. It is never changed.
type answer struct {
	roles []string
	kind  adapter.UserKind // as the platform said it; another one is another answer
	until time.Duration    // after cache.begun
}

// cache holds at most size answers.
type cache struct {
	size  int
	begun time.Time // the clock of answers counts from here: its monotonic part alone is half as dear to read

	mu      sync.RWMutex
	answers map[account]*answer
	purges  uint64 // counts them: an answer that was begun before one is not kept
}

// now is the time on the clock of answers.
func (c *cache) now() time.Duration { return time.Since(c.begun) }

// get gives the answer for an account that is still good; nil if there is none.
func (c *cache) get(id account, kind adapter.UserKind) *answer {
	c.mu.RLock()
	a := c.answers[id]
	c.mu.RUnlock()
	if a == nil || a.kind != kind || c.now() >= a.until {
		return nil
	}
	return a
}

// round is to be taken before an answer is looked up.
func (c *cache) round() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.purges
}

// put keeps an answer that was looked up since round, unless there was a purge meanwhile: it may be of before the change.
func (c *cache) put(id account, a *answer, round uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.purges != round {
		return
	}
	if _, ok := c.answers[id]; !ok && len(c.answers) >= c.size {
		for other := range c.answers { // any: it is looked up again when it is needed
			delete(c.answers, other)
			break
		}
	}
	c.answers[id] = a
}

func (c *cache) purge(keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purges++
	if len(keys) == 0 {
		clear(c.answers)
		return
	}
	for _, key := range keys {
		if u, err := ParseKey(key); err == nil { // else no account has it
			delete(c.answers, account{u.Adapter, u.Tenant, u.ID})
		}
	}
}
