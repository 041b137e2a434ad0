package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if dir := os.Getenv(childVar); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, "campaign: the bot:", err)
			os.Exit(1)
		}
		return
	}
	if err := parent(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func parent(args []string) error {
	var s settings
	var points, modes string
	fs := flag.NewFlagSet("campaign", flag.ContinueOnError)
	fs.IntVar(&s.Kills, "kills", 20, "SIGKILLs, at every fail point and at random times")
	fs.IntVar(&s.Events, "events", 5000, "events offered at least; the load goes on until all faults are done")
	fs.IntVar(&s.Rate, "rate", 500, "events a second")
	fs.IntVar(&s.Rooms, "rooms", 40, "conversations")
	fs.Uint64Var(&s.Seed, "seed", uint64(time.Now().UnixNano()%1e9), "of the schedule and of what is said")
	fs.IntVar(&s.Terms, "terms", -1, "SIGTERMs under load; -1: one for every seven kills")
	fs.IntVar(&s.Outages, "outages", -1, "times that the store fails, each in one of the ways "+strings.Join(outageModes, ", ")+"; -1: one for every five kills")
	fs.BoolVar(&s.Idempotent, "idempotent", false, "the platform knows the key of a message again")
	fs.Float64Var(&s.PerKill, "sends-per-kill", 1, "messages posted twice that a kill excuses on average; grows with the rate and with the time of a commit")
	fs.StringVar(&s.Mutant, "mutant", "", "take a safeguard away: "+strings.Join(mutants, ", ")+"; the campaign must fail")
	fs.StringVar(&modes, "modes", "", "let the store fail in these ways alone, comma-separated")
	fs.StringVar(&points, "points", "", "kill at these fail points alone, comma-separated: "+strings.Join(pointNames, ", "))
	fs.DurationVar(&s.Settle, "settle", time.Minute, "for everything to be handled after the load")
	fs.DurationVar(&s.Timeout, "timeout", 10*time.Minute, "of everything")
	floods := fs.Bool("flood", false, "instead: a user floods a room with 10,000 events a second; the others must not wait")
	floodFor := fs.Duration("flood-for", 10*time.Second, "how long")
	soaks := fs.Int("soak", 0, "instead: handle so many events, such as 1000000; memory must stay flat")
	window := fs.Duration("window", 0, "with -soak: forget events after so long, not after a day, so that the file stops growing")
	speed := fs.Bool("throughput", false, "instead: what durable delivery costs on bolt")
	fs.StringVar(&s.Dir, "dir", "", "keep store, log and record of sends here; default: a temporary folder, kept when something is found")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if points != "" {
		s.Points = strings.Split(points, ",")
	}
	if modes != "" {
		s.Modes = strings.Split(modes, ",")
	}
	s = s.withDefaults()
	var err error
	if s.Program, err = os.Executable(); err != nil {
		return err
	}
	s.Log = os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	switch {
	case *floods:
		rep, err := flood(ctx, *floodFor)
		if err != nil {
			return err
		}
		return conclude(rep, rep.Findings)
	case *soaks > 0:
		rep, err := soak(ctx, *soaks, *window, os.Stderr)
		if err != nil {
			return err
		}
		return conclude(rep, rep.Findings)
	case *speed:
		rep, err := throughput(ctx, os.Stderr)
		if err != nil {
			return err
		}
		return conclude(rep, rep.Findings)
	}
	rep, err := run(ctx, s)
	if err != nil {
		return err
	}
	return conclude(rep, rep.Findings)
}

func (s settings) withDefaults() settings {
	if s.Terms < 0 {
		s.Terms = (s.Kills + 6) / 7
	}
	if s.Outages < 0 {
		s.Outages = (s.Kills + 4) / 5
	}
	if s.Modes == nil {
		s.Modes = outageModes
	}
	return s
}

// conclude prints the one line of JSON, and gives what was found as an error.
func conclude(rep any, findings []string) error {
	if err := json.NewEncoder(os.Stdout).Encode(rep); err != nil {
		return err
	}
	if len(findings) > 0 {
		return errors.New("campaign: FAILED\n  " + strings.Join(findings, "\n  "))
	}
	return nil
}
