package args

import (
	"strings"
	"time"
)

const timeForms = "a time is today 17:00, tomorrow 09:00, 2026-11-22, 2026-11-22 15:04 or 2026-11-22T15:04:05Z"

// ParseTime reads a point in time: RFC 3339, a date with or without HH:MM (or HH:MM:SS), "today" or "tomorrow" with or
// without it, an "at" between them. Without a time of day it is the beginning of the day. Dates are those of the zone. Nothing is guessed: a time
// of day alone, one that the clocks skip and one that they show twice are errors, which say what to write.
func ParseTime(s string, now time.Time, zone *time.Location) (t time.Time, reason string) {
	date, clock, two := strings.Cut(s, " ")
	if two {
		clock = strings.TrimLeft(clock, " ")
		if at, after, ok := strings.Cut(clock, " "); ok && foldASCII(at, "at") {
			clock = strings.TrimLeft(after, " ")
		}
	}
	if !two && len(s) > len(time.DateOnly) && (s[len(time.DateOnly)] == 'T' || s[len(time.DateOnly)] == 't') {
		if t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s)); err == nil {
			if y := t.UTC().Year(); y < 1 || y > 9999 {
				return time.Time{}, "the year must be 1 to 9999"
			}
			return t.In(zone), ""
		}
		date, clock = s[:len(time.DateOnly)], s[len(time.DateOnly)+1:]
		two = true
	}
	var y, d int
	var m time.Month
	switch {
	case foldASCII(date, "today"):
		y, m, d = now.In(zone).Date()
	case foldASCII(date, "tomorrow"):
		y, m, d = now.In(zone).Date()
		y, m, d = time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC).Date()
	default:
		t, err := time.Parse(time.DateOnly, date)
		if err != nil {
			if c, ok := clockOf(s); ok && !two {
				return time.Time{}, "say which day: today " + c + " or tomorrow " + c
			}
			return time.Time{}, timeForms
		}
		y, m, d = t.Date()
	}
	if y < 1 || y > 9999 {
		return time.Time{}, "the year must be 1 to 9999"
	}
	if !two {
		return startOfDay(y, m, d, zone), ""
	}
	if !clockLike(clock) {
		return time.Time{}, timeForms
	}
	form := "15:04"
	if len(clock) > len(form) {
		form = "15:04:05"
	}
	c, err := time.Parse(form, clock)
	if err != nil {
		return time.Time{}, clock + " is no time of day"
	}
	t, again, n := wall(y, m, d, c.Hour(), c.Minute(), c.Second(), zone)
	switch n {
	case 0:
		return time.Time{}, clock + " does not exist on that day in " + zone.String() + ": the clocks skip it"
	case 2:
		return time.Time{}, clock + " comes twice on that day in " + zone.String() + ": write " + t.Format(time.RFC3339) + " or " + again.Format(time.RFC3339)
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return time.Time{}, "the year must be 1 to 9999"
	}
	return t, ""
}

// wall gives the instants, in order, at which the clocks of zone show the given time, and how many there are.
func wall(y int, m time.Month, d, hour, minute, sec int, zone *time.Location) (first, second time.Time, n int) {
	u := time.Date(y, m, d, hour, minute, sec, 0, time.UTC)
	_, before := u.Add(-26 * time.Hour).In(zone).Zone()
	_, after := u.Add(26 * time.Hour).In(zone).Zone()
	shows := func(offset int) (time.Time, bool) {
		t := u.Add(-time.Duration(offset) * time.Second).In(zone)
		_, at := t.Zone()
		return t, at == offset
	}
	a, okA := shows(before)
	b, okB := shows(after)
	switch {
	case okA && okB && before != after:
		if b.Before(a) {
			a, b = b, a
		}
		return a, b, 2
	case okA:
		return a, a, 1
	case okB:
		return b, b, 1
	}
	return a, a, 0
}

// startOfDay gives the first instant of a day: midnight, or what comes after it where the clocks skip midnight.
func startOfDay(y int, m time.Month, d int, zone *time.Location) time.Time {
	if t, _, n := wall(y, m, d, 0, 0, 0, zone); n > 0 {
		return t
	}
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	for range 24 * 4 {
		if t.Day() == d {
			break
		}
		t = t.Add(15 * time.Minute)
	}
	return t
}

// dateLike tells whether s can be followed by a time of day.
func dateLike(s string) bool {
	if foldASCII(s, "today") || foldASCII(s, "tomorrow") {
		return true
	}
	if len(s) != len(time.DateOnly) {
		return false
	}
	for i := range len(s) {
		if dash := i == 4 || i == 7; dash != (s[i] == '-') || !dash && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// clockLike tells whether s has the form 15:04 or 15:04:05.
func clockLike(s string) bool {
	if len(s) != 5 && len(s) != 8 {
		return false
	}
	for i := range len(s) {
		if colon := i%3 == 2; colon != (s[i] == ':') || !colon && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// clockish tells whether s, which stands after a date, is meant as a time of day, whatever its form: 9:00, 9am, 17:00Z.
func clockish(s string) bool {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	if n == 0 || n > 2 || n == len(s) {
		return false
	}
	return s[n] == ':' || halfOfDay(s[n:])
}

// halfOfDay tells whether s is am or pm.
func halfOfDay(s string) bool {
	s = strings.TrimRight(s, ".,;!?")
	return foldASCII(s, "am") || foldASCII(s, "pm") || foldASCII(s, "a.m") || foldASCII(s, "p.m")
}

// clockOf gives the form 15:04 or 15:04:05 of what is meant as a time of day, for a correction: it is never taken for what
// was said.
func clockOf(s string) (string, bool) {
	s = strings.ToLower(strings.TrimRight(s, ".,;!?"))
	s = strings.ReplaceAll(strings.ReplaceAll(s, "a.m", "am"), "p.m", "pm")
	for _, form := range [...]string{"15:04", "15:04:05", "3pm", "3:04pm", "3 pm", "3:04 pm"} {
		if t, err := time.Parse(form, s); err == nil {
			if form == "15:04:05" {
				return t.Format(form), true
			}
			return t.Format("15:04"), true
		}
	}
	return "", false
}

// timeMeant gives the form of a date and time that ParseTime reads and that s was likely meant as, for a correction.
func timeMeant(s string) (string, bool) {
	date, clock, two := strings.Cut(s, " ")
	if !dateLike(date) {
		trimmed := strings.TrimRight(date, ".,;!?")
		near, ok := Suggest(trimmed, []string{"tomorrow"}) // today is as near to monday
		switch {
		case dateLike(trimmed):
			date = trimmed
		case ok:
			date = near
		default:
			return "", false
		}
	}
	if !two {
		return date, true
	}
	clock = strings.TrimLeft(clock, " ")
	if at, after, ok := strings.Cut(clock, " "); ok && foldASCII(at, "at") {
		clock = strings.TrimLeft(after, " ")
	}
	c, ok := clockOf(clock)
	return date + " " + c, ok
}

// foldASCII tells whether a and b are the same but for the case of ASCII letters.
func foldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
