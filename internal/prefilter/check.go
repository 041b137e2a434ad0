package prefilter

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"unicode/utf8"
)

// MaxProgram is the number of instructions an expression may compile to.
// regexp may visit every instruction for every byte of the text. Just below this
// limit the worst expressions we know take about 35 ms on 4 KiB, and 75 ms where
// two hundred groups are captured. A case-insensitive alternation of fifty words
// of twelve letters has about 650 instructions, most chat patterns fewer than
// 200.
const MaxProgram = 1000

// shownPattern is how many bytes of a pattern an error quotes.
const shownPattern = 120

// Check parses expr and reports why it must not be routed with: a syntax error,
// or a program of more than MaxProgram instructions. The error names the
// pattern, the cause and the cure.
func Check(expr string) error {
	_, err := parse(expr)
	return err
}

// parse returns the simplified tree of an expression that passes Check.
func parse(expr string) (*syntax.Regexp, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		cause, cure := explain(err)
		return nil, fmt.Errorf("pattern %s: %s: %s", quote(expr), cause, cure)
	}
	// Compiling is what tells the size, and takes time and memory in proportion
	// to it. The estimate spares that for the small, which are nearly all, and
	// for the absurd: a hundred letters repeated {1000} times parse well.
	const advice = "use smaller repetition counts or fewer alternatives, or match a part of it and check the rest in the handler"
	size := estimate(re)
	if size > 64*MaxProgram {
		return nil, fmt.Errorf("pattern %s: compiles to about %d instructions, more than the limit of %d: %s", quote(expr), size, MaxProgram, advice)
	}
	simple := re.Simplify()
	if 2*size+16 <= MaxProgram {
		return simple, nil
	}
	prog, err := syntax.Compile(simple)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w: %s", quote(expr), err, advice)
	}
	if n := len(prog.Inst); n > MaxProgram {
		return nil, fmt.Errorf("pattern %s: compiles to %d instructions, more than the limit of %d: %s", quote(expr), n, MaxProgram, advice)
	}
	return simple, nil
}

// estimate is the size of the compiled program, right within a factor of two
// except where a repetition has nothing to repeat, which it overstates.
func estimate(re *syntax.Regexp) int {
	const most = 1 << 20 // times a repeat count stays below overflow
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpRepeat:
		times := re.Max
		if times < 0 {
			times = re.Min + 1
		}
		n = times * (estimate(re.Sub[0]) + 1)
	default:
		for _, sub := range re.Sub {
			n = min(n+1+estimate(sub), most)
		}
	}
	return min(max(n, 1), most)
}

// quote returns expr in quotes, shortened when it is long.
func quote(expr string) string {
	if len(expr) <= shownPattern {
		return fmt.Sprintf("%q", expr)
	}
	cut := shownPattern
	for cut > shownPattern-utf8.UTFMax && !utf8.RuneStart(expr[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", expr[:cut])
}

// explain says what a syntax error is, and what to do about it.
func explain(err error) (cause, cure string) {
	const see = "see https://pkg.go.dev/regexp/syntax"
	se := new(syntax.Error)
	if !errors.As(err, &se) {
		return err.Error(), see
	}
	cause = fmt.Sprintf("%s at %s", se.Code, quote(se.Expr))
	switch se.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return string(se.Code), `balance the parentheses, or write \( and \) for the characters themselves`
	case syntax.ErrMissingBracket:
		return cause, `close the class with ], or write \[ for the character itself`
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		return cause, `put something to repeat before the operator, or write \*, \+ or \? for the character itself`
	case syntax.ErrInvalidRepeatSize:
		return cause, "repeat at most 1000 times, counting repetitions inside repetitions"
	case syntax.ErrTrailingBackslash:
		return string(se.Code), `write \\ for a backslash`
	case syntax.ErrInvalidUTF8:
		return string(se.Code), "write the pattern in utf-8"
	case syntax.ErrNestingDepth, syntax.ErrLarge:
		return string(se.Code), "make the pattern smaller"
	case syntax.ErrInvalidPerlOp:
		return cause, "use (?:...), (?P<name>...) or flags such as (?i); go has no look-ahead or look-behind, check that part in the handler"
	case syntax.ErrInvalidNamedCapture:
		return cause, "name groups with letters, digits and _, as in (?P<name>...)"
	case syntax.ErrInvalidEscape:
		return cause, "use an escape that go knows, " + see + "; it has no back-references"
	case syntax.ErrInvalidCharRange, syntax.ErrInvalidCharClass:
		return cause, "write ranges low to high, as in [a-z], and a literal - last"
	}
	return cause, see
}
