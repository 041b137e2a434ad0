package brain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

func Example() {
	ctx := context.Background()
	b := brain.New(memory.New()).Namespace("karma")

	_, err := brain.Get[int](ctx, b, "go")
	fmt.Println(errors.Is(err, brain.ErrNotFound))

	for range 3 {
		n, err := brain.Update(ctx, b, "go", func(n *int) error { *n++; return nil })
		fmt.Println(n, err)
	}
	// Output:
	// true
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

func ExampleKey() {
	fmt.Println(brain.Key("notes", "#dev/ops", ""))
	fmt.Println(brain.SplitKey("notes/#dev%2Fops/%"))
	// Output:
	// notes/#dev%2Fops/%
	// [notes #dev/ops ] true
}

func ExampleAll() {
	ctx, b := context.Background(), brain.New(memory.New())
	for name, n := range map[string]int{"go": 3, "rust": 2, "c": 1} {
		if err := brain.Set(ctx, b, brain.Key("karma", name), n); err != nil {
			fmt.Println(err)
		}
	}
	for item, err := range brain.All[int](ctx, b, "karma/") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(item.Key, item.Value)
	}
	// Output:
	// karma/c 1
	// karma/go 3
	// karma/rust 2
}

func ExampleBrain_Acquire() {
	ctx, b := context.Background(), brain.New(memory.New())

	lease, err := b.Acquire(ctx, "deploy/api", 30*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = b.Acquire(ctx, "deploy/api", 30*time.Second)
	fmt.Println("second holder:", errors.Is(err, brain.ErrConflict))

	// The write happens only while the lease is held.
	err = lease.Apply(ctx, brain.Op{Key: b.Key("state"), Value: []byte(`"deploying"`), If: brain.Any})
	fmt.Println("guarded write:", err)
	fmt.Println("release:", lease.Release(ctx))
	// Output:
	// second holder: true
	// guarded write: <nil>
	// release: <nil>
}

func ExampleStore() {
	ctx, store := context.Background(), memory.New()
	defer store.Close()

	// Move a task from one list to another, or do nothing at all.
	revs, err := store.Apply(ctx, brain.Op{Key: "todo/7", Value: []byte("feed the starling")})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = store.Apply(ctx,
		brain.Op{Key: "todo/7", If: brain.At(revs[0]), Delete: true},
		brain.Op{Key: "done/7", Value: []byte("feed the starling")},
	)
	fmt.Println(err)
	_, err = store.Apply(ctx, brain.Op{Key: "todo/7", If: brain.At(revs[0]), Delete: true})
	fmt.Println(err)
	// Output:
	// <nil>
	// brain: conflict: the key is not as the write expected it: "todo/7"
}

func ExampleBrain_Export() {
	ctx, b := context.Background(), brain.New(memory.New())
	if err := brain.Set(ctx, b, "karma/go", map[string]int{"score": 3}); err != nil {
		fmt.Println(err)
	}
	if err := b.Export(ctx, os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"k":"karma/go","v":{"score":3}}
}
