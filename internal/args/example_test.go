package args_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/internal/args"
)

func Example() {
	type deploy struct {
		Service string        `arg:"service" help:"what to ship"`
		Env     string        `arg:"env" word:"to" enum:"staging,prod" help:"where to"`
		Wait    time.Duration `flag:"wait" short:"w" default:"10m" help:"give up after"`
		Force   bool          `flag:"force" help:"skip the checks"`
	}
	spec, err := args.Compile[deploy]()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(spec.Usage("deploy"))
	for _, text := range []string{"deploy api to prod --force", "deploy service:api env:prod -w 90m", "deploy api", "deploy api to porod"} {
		bound, err := spec.Bind(context.Background(), args.Input{Text: text, Offset: len("deploy")})
		var wrong *args.UsageError
		var missing *args.Missing
		switch {
		case errors.As(err, &wrong):
			fmt.Println(wrong.Render())
		case errors.As(err, &missing):
			fmt.Println("which", missing.Fields[0].Name+"?", missing.Fields[0].Choices)
		default:
			fmt.Printf("%+v\n", args.Value[deploy](bound))
			fmt.Println(bound.Canonical())
		}
	}
	// Output:
	// deploy SERVICE [to] ENV [--wait DURATION] [--force]
	// {Service:api Env:prod Wait:10m0s Force:true}
	// api prod --force
	// {Service:api Env:prod Wait:1h30m0s Force:false}
	// api prod --wait 1h30m
	// which env? [staging prod]
	// deploy api to porod
	//               ^^^^^
	// env is one of staging, prod
	// try: deploy api to prod
}

func ExampleSuggest() {
	fmt.Println(args.Suggest("dpeloy", []string{"rollback", "deploy", "status"}))
	// Output: deploy true
}
