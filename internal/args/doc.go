// Package args turns what people type after a command's name into a Go struct, and a Go struct into that text, into help
// and into what the platforms want to know of a command. It is pure: it starts nothing, stores nothing and looks people
// and rooms up only through the [Resolver] it is given.
//
//	type deploy struct {
//		Service string        `arg:"service" help:"what to ship"`
//		Env     string        `arg:"env" word:"to" enum:"staging,prod" help:"where to"`
//		Wait    time.Duration `flag:"wait" short:"w" default:"10m" help:"give up after"`
//		Force   bool          `flag:"force" help:"skip the checks"`
//	}
//	spec, err := args.Compile[deploy]()
//	bound, err := spec.Bind(ctx, args.Input{Text: "deploy api to prod --force", Offset: len("deploy")})
//	a := args.Value[deploy](bound)
//
// # Tags
//
//	arg:"NAME"       a positional argument; the order of fields is the order of positions; "-" leaves the field out
//	flag:"NAME"      an argument that is given by name alone and may always be left out
//	short:"x"        one letter: -x
//	word:"to"        a word that may stand before the value: deploy api to prod
//	enum:"a,b"       the values that are allowed; of strings and integers
//	default:"TEXT"   the value when nothing is given, in the form that people type; makes a positional optional
//	help:"TEXT"      one line
//	optional:""      a positional may be left out
//	rest:""          the last positional takes the rest: a string as it was typed, a slice word by word
//	text:""          a string is free text and not a name: nothing in it is refused
//	secret:""        the value is masked in audits and in errors
//	complete:"NAME"  which function completes it
//	schemes, hosts   what a [URL] may be: schemes:"https" hosts:"a.example,*.b.example"
//
// Every argument can be given by its name as well: env:prod, --env prod, --env=prod.
//
// # Types
//
// string, bool, integers, floats, [time.Duration] (with d = 24 hours and w = 7 days), [time.Time], [URL], [Path],
// adapter.User, adapter.Room, types with UnmarshalText and MarshalText, types with SetSecret and Reveal ([SecretSetter]),
// and slices of these for rest and for flags that may be repeated.
//
// # Names and free text
//
// A string is a name (a service, a branch) unless it is rest, text or secret. In names, enums and the other types
// characters that cannot be seen are refused (zero-width, bidi, tag, control), and in names and enums also letters of
// several scripts in one word; the reason gives the code point. Free text is left alone.
package args
