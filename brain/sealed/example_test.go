package sealed_test

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/brain/sealed"
)

func Example() {
	ctx := context.Background()
	db := memory.New() // or bolt.Open
	keys, err := sealed.ParseKeys("2026a:3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=")
	if err != nil {
		panic(err)
	}
	store, err := sealed.New(sealed.Config{Store: db, Keys: keys})
	if err != nil {
		panic(err)
	}
	state := brain.New(store)
	if err := brain.Set(ctx, state, "token", "hunter2"); err != nil {
		panic(err)
	}
	token, err := brain.Get[string](ctx, state, "token")
	fmt.Println(token, err)
	below, err := db.Get(ctx, "token")
	fmt.Println(len(below.Value), "bytes are stored,", err)

	// Output:
	// hunter2 <nil>
	// 47 bytes are stored, <nil>
}
