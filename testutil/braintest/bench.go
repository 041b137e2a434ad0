package braintest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/starlingbot/starling/brain"
)

// Bench measures a store: Get, writes alone and by 64 at once, an Apply of
// three, an Update that 8 contend for, and a List of 512 keys among 10,000. open
// is called once with an empty folder; Bench closes the store.
func Bench(b *testing.B, open func(dir string) (brain.Store, error)) {
	ctx := context.Background()
	s, err := open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	must := func(b *testing.B, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	value := strings.Repeat("v", 100)
	for i := range 20 {
		_, err := fill(ctx, s, fmt.Sprintf("bench/%02d", i), 512)
		must(b, err)
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Get(ctx, "bench/07/00100")
			must(b, err)
		}
	})
	b.Run("get-missing", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(ctx, "bench/none"); err == nil {
				b.Fatal("found")
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Apply(ctx, put("one", value))
			must(b, err)
		}
	})
	b.Run("write-ttl", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Apply(ctx, putFor("ttl", value, 3600e9))
			must(b, err)
		}
	})
	b.Run("apply-three", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Apply(ctx, put("x", value), put("y", value), brain.Op{Key: "z", If: brain.Any, Delete: true})
			must(b, err)
		}
	})
	b.Run("write-64-at-once", func(b *testing.B) {
		var n atomic.Int64
		b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			key := fmt.Sprintf("par/%d", n.Add(1))
			for pb.Next() {
				if _, err := s.Apply(ctx, put(key, value)); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("update-contended", func(b *testing.B) {
		br := brain.New(s)
		b.SetParallelism(max(1, 8/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := brain.Update(ctx, br, "counter", func(n *int) error { *n++; return nil }); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("list-512", func(b *testing.B) {
		for b.Loop() {
			all, err := list(ctx, s, "bench/13/")
			must(b, err)
			if len(all) != 512 {
				b.Fatalf("%d keys", len(all))
			}
		}
	})
}
