package args_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

var update = flag.Bool("update", false, "rewrite testdata")

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

type ticket struct {
	Queue  string         `arg:"queue" complete:"queues" help:"where it goes"`
	Prio   int            `arg:"prio" word:"at" enum:"1,2,3" default:"2" help:"1 is the worst"`
	Title  string         `arg:"title" rest:"" optional:""`
	Watch  []adapter.User `flag:"watch" help:"who is told"`
	Room   adapter.Room   `flag:"room"`
	Weight float64        `flag:"weight" default:"0.5"`
	Port   uint16         `flag:"port"`
	Link   args.URL       `flag:"link" schemes:"https"`
	Mail   bool           `flag:"mail" default:"yes" help:"send a mail as well; <b>&amp; more"`
	Token  hidden         `flag:"token"`
	Mode   string         `flag:"mode" enum:"fast,slow"`
}

// What platforms are told of a command.
func TestRenderings(t *testing.T) {
	for name, spec := range map[string]*args.Spec{"deploy": compile[deploy](t), "ticket": compile[ticket](t), "every": compile[every](t), "nothing": compile[struct{}](t)} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			fmt.Fprintf(&b, "usage: %s\nslack: %s\nmattermost: %s\n\n", spec.Usage(name), spec.SlackHint(), spec.MattermostHint())
			options, left := spec.DiscordOptions()
			for _, o := range options {
				fmt.Fprintf(&b, "discord: %s %s %q", o.Kind, o.Name, o.Description)
				if o.Required {
					b.WriteString(" required")
				}
				if o.Choices != nil {
					fmt.Fprintf(&b, " %q", o.Choices)
				}
				if o.Autocomplete {
					b.WriteString(" autocomplete")
				}
				if o.Min != nil {
					fmt.Fprintf(&b, " %g..%g", *o.Min, *o.Max)
				}
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "left out: %d\n\n", left)
			schema := spec.JSONSchema(name, "What "+name+" does.")
			require.True(t, json.Valid(schema))
			b.Write(schema)
			b.WriteByte('\n')
			golden(t, "spec-"+name+".txt", b.String())
		})
	}
	require.Equal(t, "deploy SERVICE [to] ENV [--wait DURATION] [--force]", compile[deploy](t).Usage("deploy"))
}

func TestPlatformLimits(t *testing.T) {
	fields := manyFields(60)
	for i := range fields {
		fields[i].Tag = reflect.StructTag(fmt.Sprintf(`flag:"a-long-name-of-a-flag-%d" help:"%s"`, i, strings.Repeat("ä", 150)))
	}
	spec, err := args.CompileType(reflect.StructOf(fields))
	require.NoError(t, err)
	require.LessOrEqual(t, len([]rune(spec.SlackHint())), 1000)
	require.True(t, strings.HasSuffix(spec.SlackHint(), " …"))
	require.LessOrEqual(t, len([]rune(spec.MattermostHint())), 1024)
	options, left := spec.DiscordOptions()
	require.Len(t, options, 25)
	require.Equal(t, 35, left)
	require.Len(t, []rune(options[0].Description), 100)

	var choices []string
	for i := range 26 {
		choices = append(choices, fmt.Sprintf("c%d", i))
	}
	field := reflect.StructField{Name: "F", Type: reflect.TypeFor[string]()}
	for n, autocomplete := range map[int]bool{25: false, 26: true} {
		field.Tag = reflect.StructTag(fmt.Sprintf(`arg:"f" enum:"%s"`, strings.Join(choices[:n], ",")))
		spec, err := args.CompileType(reflect.StructOf([]reflect.StructField{field}))
		require.NoError(t, err)
		options, _ := spec.DiscordOptions()
		require.Equal(t, autocomplete, options[0].Autocomplete)
		require.Equal(t, !autocomplete, len(options[0].Choices) == n)
	}
}
