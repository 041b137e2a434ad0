package guard

// Overheard tells how many refusals are remembered.
func (g *Guard) Overheard() int {
	g.overheard.mu.Lock()
	defer g.overheard.mu.Unlock()
	return len(g.overheard.seen)
}
