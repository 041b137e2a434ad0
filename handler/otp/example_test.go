package otp_test

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler/otp"
)

func Example() {
	ctx := context.Background()
	text, err := sealed.NewKeyText("2026a") // kept in the environment, say
	if err != nil {
		panic(err)
	}
	keys, err := sealed.ParseKeys(text)
	if err != nil {
		panic(err)
	}
	factor, err := otp.New(otp.Config{Brain: brain.New(memory.New()).Namespace("otp"), Keys: keys, Issuer: "Ops bot"})
	if err != nil {
		panic(err)
	}
	e, err := factor.Enrol(ctx, "slack/T1/U1", "alice") // e.PNG is for alice alone
	fmt.Println(e.URI, len(e.PNG) > 0, err)
	fmt.Println(factor.Confirm(ctx, "slack/T1/U1", "not a code"))
	fmt.Println(factor.Verify(ctx, "slack/T1/U1", "123456"))

	// Output:
	// [secret] true <nil>
	// otp: wrong code
	// otp: the user is not enrolled
}
