package args

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseDuration reads a time span: the syntax of time.ParseDuration and the units d, 24 hours, and w, 7 days ("90m", "2d",
// "1w2d", "1.5h"). A number without a unit is refused, except 0.
func ParseDuration(s string) (time.Duration, bool) {
	body := s
	negative := false
	if body != "" && (body[0] == '-' || body[0] == '+') {
		negative = body[0] == '-'
		body = body[1:]
	}
	if body == "0" {
		return 0, true
	}
	if body == "" {
		return 0, false
	}
	var sum uint64
	for body != "" {
		n := 0
		for n < len(body) && (body[n] == '.' || '0' <= body[n] && body[n] <= '9') {
			n++
		}
		m := n
		for m < len(body) && body[m] != '.' && (body[m] < '0' || body[m] > '9') {
			m++
		}
		v, ok := span(body[:n], body[n:m])
		if !ok || v > 1<<63-sum {
			return 0, false
		}
		sum += v
		body = body[m:]
	}
	if negative {
		return -time.Duration(sum), true // also of 1<<63
	}
	if sum > math.MaxInt64 {
		return 0, false
	}
	return time.Duration(sum), true
}

// spanPart is what a part of a time span is measured in.
type spanPart struct{ largest, smallest int } // units, see spanOf

// spanOf gives the units of a time span without spaces, in the form of ParseDuration or as spanMeant reads it, which must become
// smaller in it.
func spanOf(s string) (p spanPart, ok bool) {
	if _, ok := ParseDuration(s); !ok {
		if s, ok = spanMeant(s); !ok {
			return p, false
		}
	}
	last := 0
	for unit := range strings.FieldsFuncSeq(s, func(r rune) bool { return '0' <= r && r <= '9' || strings.ContainsRune(".+-", r) }) {
		size := 1 + slices.Index(spanUnits[:], unit)
		if size == 0 || last > 0 && size >= last {
			return p, false
		}
		if last == 0 {
			p.largest = size
		}
		last = size
	}
	p.smallest = last
	return p, last > 0
}

// spanUnits are the units that people write one after the other, the smallest first.
var spanUnits = [...]string{"ms", "s", "m", "h", "d", "w"}

// joinSpans reads a time span whose parts stand apart, "1h 30m", each in a smaller unit than the one before.
func joinSpans(s string) (time.Duration, bool) {
	whole := strings.ReplaceAll(s, " ", "")
	if _, ok := spanOf(whole); !ok {
		return 0, false
	}
	for part := range strings.FieldsSeq(s) {
		if _, ok := ParseDuration(part); !ok {
			return 0, false
		}
	}
	return ParseDuration(whole)
}

// spanMeant gives the time span that s was likely meant as, for a correction: 5min, 2days, 1H, "1h 30m". A number without a unit
// is none.
func spanMeant(s string) (string, bool) {
	if len(s) > 40 {
		return "", false
	}
	s = strings.ReplaceAll(strings.ToLower(strings.TrimRight(s, ".,;!?")), " and ", " ")
	s = strings.ReplaceAll(strings.ReplaceAll(s, ", ", " "), " ", "")
	s = longUnits.Replace(s)
	_, ok := ParseDuration(s)
	return s, ok
}

// longUnits are the units in words; the longer ones come first, since the first that fits is taken.
var longUnits = strings.NewReplacer("seconds", "s", "second", "s", "secs", "s", "sec", "s", "minutes", "m", "minute", "m", "mins", "m", "min", "m",
	"hours", "h", "hour", "h", "hrs", "h", "hr", "h", "days", "d", "day", "d", "weeks", "w", "week", "w")

// span gives number times unit in nanoseconds, at most 1<<63.
func span(number, unit string) (uint64, bool) {
	var scale uint64
	switch unit {
	case "w":
		scale = uint64(week)
	case "d":
		scale = uint64(day)
	default:
		if len(number) > 40 {
			return 0, false
		}
		if number == "9223372036854775808" && unit == "ns" { // of the most negative one; time.ParseDuration sees no sign here
			return 1 << 63, true
		}
		d, err := time.ParseDuration(number + unit)
		return uint64(d), err == nil && unit != ""
	}
	whole, frac, dot := strings.Cut(number, ".")
	if whole == "" && frac == "" || dot && strings.Contains(frac, ".") {
		return 0, false
	}
	var v uint64
	if whole != "" {
		n, err := strconv.ParseUint(whole, 10, 63)
		if err != nil || n > (1<<63)/scale {
			return 0, false
		}
		v = n * scale
	}
	if frac != "" {
		f, err := strconv.ParseFloat("0."+frac, 64)
		if err != nil {
			return 0, false
		}
		v += uint64(math.Round(f * float64(scale)))
	}
	return v, v <= 1<<63
}

// FormatDuration is the shortest form that ParseDuration reads as d: "10m", "1w2d", "1h30m".
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	u := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		u = -u
	}
	for _, unit := range [...]struct {
		size uint64
		name byte
	}{{uint64(week), 'w'}, {uint64(day), 'd'}, {uint64(time.Hour), 'h'}, {uint64(time.Minute), 'm'}} {
		if n := u / unit.size; n > 0 {
			b.WriteString(strconv.FormatUint(n, 10))
			b.WriteByte(unit.name)
			u %= unit.size
		}
	}
	if u > 0 {
		b.WriteString(strings.Replace(time.Duration(u).String(), "µ", "u", 1))
	}
	return b.String()
}
