package main

import "sync"

// pointNames are the fail points: before and after each step of an event's way.
var pointNames = func() (names []string) {
	for _, step := range []string{"inbox", "ack", "run", "handler", "slot", "send", "record", "completion", "out", "sent", "due", "ask", "answer"} {
		names = append(names, step+".before", step+".after")
	}
	return names
}()

// seldom are the steps that few events pass.
var seldom = []string{"record", "out", "sent", "due", "ask", "answer"}

// points block the goroutine that passes an armed fail point, for ever: the platform kills the process there.
type points struct {
	tell func(line)

	mu     sync.Mutex
	armed  map[string]int // passings until it blocks
	passed map[string]bool
}

func newPoints(tell func(line)) *points {
	return &points{tell: tell, armed: map[string]int{}, passed: map[string]bool{}}
}

func (p *points) arm(name string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed[name] = n
}

// at passes a fail point.
func (p *points) at(name string) {
	p.mu.Lock()
	first := !p.passed[name]
	p.passed[name] = true
	n, armed := p.armed[name]
	if armed {
		n--
		p.armed[name] = n
	}
	p.mu.Unlock()
	if first {
		p.tell(line{Type: linePass, Point: name})
	}
	if armed && n == 0 {
		p.tell(line{Type: lineStuck, Point: name})
		select {}
	}
}
