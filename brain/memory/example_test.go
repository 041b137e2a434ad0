package memory_test

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

func ExampleNew() {
	store := memory.New()
	defer store.Close()
	b := brain.New(store)
	if err := brain.Set(context.Background(), b, "motto", "never forget"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(brain.Get[string](context.Background(), b, "motto"))
	// Output: never forget <nil>
}
