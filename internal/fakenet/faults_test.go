package fakenet_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/starlingbot/starling/internal/fakenet"
	"github.com/stretchr/testify/require"
)

func TestFaultsMeetCallsByNameInTheOrderOfAdding(t *testing.T) {
	type plan struct {
		call  string
		times int
		fault string
	}
	cases := map[string]struct {
		add   []plan
		calls []string
		want  []string // "" is no fault
	}{
		"none":               {nil, []string{"send"}, []string{""}},
		"by name":            {[]plan{{"send", 1, "a"}}, []string{"edit", "send", "send"}, []string{"", "a", ""}},
		"any":                {[]plan{{"", 1, "a"}}, []string{"edit", "send"}, []string{"a", ""}},
		"several times":      {[]plan{{"send", 2, "a"}}, []string{"send", "edit", "send", "send"}, []string{"a", "", "a", ""}},
		"0 times is once":    {[]plan{{"send", 0, "a"}}, []string{"send", "send"}, []string{"a", ""}},
		"-1 times is once":   {[]plan{{"send", -1, "a"}}, []string{"send", "send"}, []string{"a", ""}},
		"the first first":    {[]plan{{"send", 1, "a"}, {"send", 1, "b"}}, []string{"send", "send", "send"}, []string{"a", "b", ""}},
		"any before a name":  {[]plan{{"", 1, "a"}, {"send", 1, "b"}}, []string{"send", "send"}, []string{"a", "b"}},
		"a name before any":  {[]plan{{"send", 1, "a"}, {"", 1, "b"}}, []string{"send", "send"}, []string{"a", "b"}},
		"another name stays": {[]plan{{"edit", 1, "a"}, {"send", 1, "b"}}, []string{"send", "edit", "send"}, []string{"b", "a", ""}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var f fakenet.Faults[string]
			for _, p := range c.add {
				f.Add(p.call, p.times, p.fault)
			}
			var got []string
			for _, call := range c.calls {
				fault := ""
				if p := f.Take(call); p != nil {
					fault = *p
				}
				got = append(got, fault)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestAFaultThatWasTakenIsACopy(t *testing.T) {
	var f fakenet.Faults[string]
	f.Add("send", 2, "a")
	*f.Take("send") = "changed"
	require.Equal(t, "a", *f.Take("send"))
}

func TestClearTakesAllFaultsOut(t *testing.T) {
	var f fakenet.Faults[string]
	f.Add("", 5, "a")
	f.Add("send", 5, "b")
	f.Clear()
	require.Nil(t, f.Take("send"))
	f.Add("send", 1, "c")
	require.Equal(t, "c", *f.Take("send"))
}

func TestCallsAtOnceMeetAFaultAsOftenAsItSays(t *testing.T) {
	var f fakenet.Faults[string]
	f.Add("send", 100, "a")
	var met atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if f.Take("send") != nil {
					met.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 100, met.Load())
}
