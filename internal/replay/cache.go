// Package replay knows which signed requests came before, so that one that somebody recorded does nothing when it is sent again.
package replay

import (
	"sync"
	"time"
)

// MaxSkew is how far the stamp of a request may be off, to both sides: what is older or newer is refused by its stamp, and so
// need not be remembered.
const MaxSkew = 5 * time.Minute

const (
	keep = 2 * MaxSkew // from the earliest moment at which a stamp is good to the latest
	most = 700_000     // requests remembered in that time; 1,000 a second are 600,000
)

// InTime tells whether a stamp, in seconds since 1970, is off by at most [MaxSkew].
func InTime(stamp int64, now time.Time) bool {
	earliest := now.Unix() - int64(MaxSkew/time.Second) // compared without a difference of two wild numbers
	return stamp >= earliest && stamp <= earliest+int64(keep/time.Second)
}

// Key is what names a request: part of its signature, or a digest.
type Key [16]byte

// Cache remembers requests for ten minutes at least, 700,000 of them in that time. It is for several
// goroutines. Make one with [New].
type Cache struct {
	mu       sync.Mutex
	now, old map[Key]struct{}
	since    time.Time
}

// New makes an empty cache.
func New() *Cache { return &Cache{now: map[Key]struct{}{}, old: map[Key]struct{}{}} }

// First remembers a request, and tells whether it is new. full: too many are remembered to tell; it is to be refused, too.
func (c *Cache) First(key Key, now time.Time) (first, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= keep {
		c.old = c.now
		if now.Sub(c.since) >= 2*keep {
			c.old = map[Key]struct{}{}
		}
		c.now, c.since = map[Key]struct{}{}, now
	}
	if _, ok := c.now[key]; ok {
		return false, false
	}
	if _, ok := c.old[key]; ok {
		return false, false
	}
	if len(c.now) >= most {
		return false, true
	}
	c.now[key] = struct{}{}
	return true, false
}

// Again forgets a request: it was not taken, and may come once more as it is.
func (c *Cache) Again(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.now, key)
	delete(c.old, key)
}
