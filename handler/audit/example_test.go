package audit_test

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
)

func Example() {
	ctx := context.Background()
	state := brain.New(memory.New())
	log, err := audit.New(audit.Config{Brain: state.Namespace("audit"), Key: handler.NewSecret("at least 32 random bytes, kept elsewhere")})
	if err != nil {
		panic(err)
	}
	alice := audit.Person{Key: "slack/T1/U1", Name: "alice"}
	for _, phase := range []audit.Phase{audit.PhaseBefore, audit.PhaseAfter} {
		if err := log.Append(ctx, audit.Record{Phase: phase, Who: alice, Route: "deploy", Command: "deploy api to staging"}); err != nil {
			panic(err) // no record: do not run
		}
	}
	if err := log.Close(ctx); err != nil {
		panic(err)
	}
	for rec, err := range log.Latest(ctx, audit.Filter{Limit: 1}) {
		fmt.Println(rec.Phase, rec.Who.Name, rec.Command, err)
	}
	report, err := log.Verify(ctx, audit.Check{})
	fmt.Println(report.Records, "records, in order:", report.OK(), err)

	// Output:
	// after alice deploy api to staging <nil>
	// 2 records, in order: true <nil>
}
