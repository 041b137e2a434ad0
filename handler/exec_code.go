package handler

import (
	"path/filepath"
	"slices"
	"strings"
)

// interpreter says where a program takes text that it runs. No list of programs is whole: this one catches the mistakes that are
// made, and is no fence around a program that runs its input.
type interpreter struct {
	short   string   // letters of options, in lower case, whose argument is code: "-c CODE", "-lc CODE"
	long    []string // whole options whose argument is code: "--eval CODE", "--eval=CODE"
	operand int      // from which operand on it is code, counted from 1; 0: none is
	takes   string   // letters of options before the operands whose argument is no operand
}

var (
	shell  = interpreter{short: "c", long: []string{"--command", "--init-command"}}
	su     = interpreter{short: "c", long: []string{"--command", "--session-command"}}
	awk    = interpreter{short: "e", long: []string{"--source", "--assign-source"}, operand: 1, takes: "vFfiEl"}
	python = interpreter{short: "c"}
	ruby   = interpreter{short: "e"}
	node   = interpreter{short: "ep", long: []string{"--eval", "--print"}}
	cmdExe = interpreter{long: []string{"/c", "/k", "/r"}}
	remote = interpreter{operand: 2, takes: "bcDEeFIiJLlmOoPpQRSWwB"} // ssh: a shell at the other end gets all operands as one line
)

// interpreters are known by the name of their file, without digits at its end.
var interpreters = map[string]interpreter{
	"sh": shell, "bash": shell, "dash": shell, "ash": shell, "zsh": shell, "ksh": shell, "mksh": shell, "fish": shell, "csh": shell, "tcsh": shell,
	"cmd": cmdExe, "powershell": {short: "ce"}, "pwsh": {short: "ce"}, "su": su, "runuser": su, "script": su, "flock": su,
	"python": python, "pypy": python, "perl": ruby, "ruby": ruby, "lua": ruby, "luajit": ruby, "rscript": ruby, "osascript": ruby, "php": {short: "rbe"},
	"node": node, "nodejs": node, "bun": node, "deno": {operand: 2},
	"awk": awk, "gawk": awk, "mawk": awk, "nawk": awk, "sed": {short: "e", long: []string{"--expression"}, operand: 1, takes: "efl"}, "jq": {operand: 1, takes: "fL"},
	"ssh": remote, "watch": {operand: 1, takes: "n"}, "eval": {operand: 1}, "parallel": {operand: 1, takes: "j"},
}

// wrappers run the program that their operands name.
var wrappers = []string{"env", "timeout", "nice", "ionice", "nohup", "setsid", "stdbuf", "sudo", "doas", "xargs", "chroot", "unshare", "nsenter", "time", "busybox"}

// code finds an argument from people that an interpreter would run as a program: path itself, or one that stands among the
// arguments, as behind timeout or "docker exec".
func code(path string, args []Arg) (int, bool) {
	wrapped := slices.Contains(wrappers, programName(path))
	if programName(path) == "env" {
		if i, ok := (interpreter{short: "s", long: []string{"--split-string"}}).runs(args); ok {
			return i, true
		}
	}
	if in, ok := interpreters[programName(path)]; ok {
		if i, ok := in.runs(args); ok {
			return i, true
		}
	}
	for at, a := range args {
		in, ok := interpreters[programName(a.text)]
		if !ok || a.value {
			continue
		}
		if !wrapped {
			in.operand = 0 // the word may be anything, such as a package to install
		}
		if i, ok := in.runs(args[at+1:]); ok {
			return at + 1 + i, true
		}
	}
	return 0, false
}

func programName(path string) string {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".exe")
	return strings.TrimRight(name, "0123456789.")
}

// runs finds the argument from people that the interpreter runs.
func (in interpreter) runs(args []Arg) (int, bool) {
	operands, options := 0, true
	for i, a := range args {
		option, _, joined := strings.Cut(strings.ToLower(a.text), "=")
		if a.value && joined && in.takesCode(option) { // an Option
			return i, true
		}
		if i > 0 && !args[i-1].value && options {
			before := strings.ToLower(args[i-1].text)
			if in.takesCode(before) {
				if a.value {
					return i, true
				}
				if in.operand == 1 { // the program was given
					in.operand = 0
				}
				continue
			}
			if len(before) == 2 && before[0] == '-' && strings.Contains(in.takes, args[i-1].text[1:]) {
				if args[i-1].text == "-f" && in.operand == 1 { // in a file
					in.operand = 0
				}
				continue
			}
		}
		switch {
		case !a.value && options && a.text == "--":
			options = false
		case !a.value && options && strings.HasPrefix(a.text, "-") && len(a.text) > 1:
		default:
			if operands++; a.value && in.operand > 0 && operands >= in.operand && (in.operand > 1 || operands == 1) {
				return i, true
			}
		}
	}
	return 0, false
}

// takesCode tells whether what comes after an option is code.
func (in interpreter) takesCode(option string) bool {
	if slices.Contains(in.long, option) {
		return true
	}
	return strings.HasPrefix(option, "-") && !strings.HasPrefix(option, "--") && strings.ContainsAny(option[1:], in.short)
}
