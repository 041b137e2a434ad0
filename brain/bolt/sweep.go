package bolt

import (
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

// sweepKeys is the largest number of expired keys removed in one transaction.
const sweepKeys = 512

// sweepLoop removes expired keys from the file now and then. Nobody depends on
// it but the size of the file: reads and conditions compare the expiry.
func (s *Store) sweepLoop(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-s.end:
			return
		case <-t.C:
		}
		// A failure shows in the next Apply, which has somebody to tell; the
		// next sweep tries again.
		for more := true; more; {
			select {
			case <-s.end:
				return
			default:
			}
			n, err := s.sweep()
			more = err == nil && n == sweepKeys
		}
	}
}

// sweep removes up to sweepKeys expired keys and returns how many.
func (s *Store) sweep() (n int, err error) {
	if any, err := s.anyDue(); err != nil || !any {
		return 0, err
	}
	err = s.write("sweep", func(keys, due *bbolt.Bucket) error {
		n = 0
		now := time.Now().UnixNano()
		// Collect first: deleting under a cursor may skip keys.
		expired := make([][]byte, 0, sweepKeys)
		c := due.Cursor()
		for k, _ := c.First(); k != nil && len(expired) < sweepKeys; k, _ = c.Next() {
			if int64(binary.BigEndian.Uint64(k)) > now {
				break
			}
			expired = append(expired, append([]byte(nil), k...))
		}
		for _, k := range expired {
			if err := due.Delete(k); err != nil {
				return err
			}
			r, ok, err := find(keys, k[8:])
			if err != nil { // damaged: it stays for who reads it to be told of, and holds up no others
				continue
			}
			if ok && !r.lives(now) {
				if err := keys.Delete(k[8:]); err != nil {
					return err
				}
			}
		}
		n = len(expired)
		return nil
	})
	return n, err
}

// anyDue looks without a write transaction, which would cost a sync.
func (s *Store) anyDue() (found bool, err error) {
	err = s.view("sweep", func(keys *bbolt.Bucket) error {
		k, _ := keys.Tx().Bucket(dueName()).Cursor().First()
		found = k != nil && int64(binary.BigEndian.Uint64(k)) <= time.Now().UnixNano()
		return nil
	})
	return found, err
}
