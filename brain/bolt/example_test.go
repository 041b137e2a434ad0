package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "starling")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cfg := bolt.Config{Path: filepath.Join(dir, "starling.db")}

	for range 2 { // what is written stays
		store, err := bolt.Open(cfg)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(brain.Update(context.Background(), brain.New(store), "starts", func(n *int) error { *n++; return nil }))
		if err := store.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
}
