// Package prefilter tells quickly which of many regular expressions can
// possibly match a text.
//
// A router with ten thousand patterns cannot try each of them on every line of
// chatter. A [Set] reads the text once and names the few patterns worth trying;
// the caller then tries those, in registration order, with package regexp. So
// the meaning stays that of a linear loop over all patterns: the answer may
// name a pattern that does not match, and never leaves out one that does.
//
// # How
//
// From the syntax tree of each expression New derives literals such that every
// match contains at least one of them: `deploy\s+(api|web)` needs "deploy", or
// one of "api" and "web". Where an expression offers a choice, the literals
// that are rarest among the expressions of the set are taken. They are at most
// 16 bytes long and at most 384 bytes for one expression (24 literals of 16
// bytes, or up to 64 shorter ones, which is what an alternation of fifty words
// needs).
//
// All literals together make one Aho-Corasick automaton, which costs the same
// per byte of text however many expressions there are. It folds the case of
// ASCII letters for every expression, also for those that are case-sensitive:
// telling them apart is left to regexp. It reads U+212A (Kelvin sign) and
// U+017F (long s) as k and s, because (?i) makes them equal. Other letters that
// fold, such as é and É, appear in each of their forms.
//
// An expression without such literals, `\d+-\d+`, gets up to three sets of
// bytes of which each match needs one byte, compared with the set of bytes
// present in the text. This costs time for each such expression. An expression
// with neither, `.*` or one that matches the empty text, is a candidate for
// every text; [Set.Unfilterable] lists those.
//
// # Memory
//
// States near the root, where all scans spend their time, have a full row of
// transitions in a table of at most 4 MiB. States beyond that keep only their
// own transitions and a failure link, 13 bytes each: a scan that enters them is
// slower (a few steps for one byte) and equally correct. Ten thousand typical
// chat patterns come to 4 to 5 MiB in all.
//
// # Limits
//
// [Check] refuses expressions that compile to more than [MaxProgram]
// instructions, since regexp needs time in proportion to instructions times
// text. It bounds one expression; the caller bounds the text.
package prefilter
