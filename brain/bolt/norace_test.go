//go:build !race

package bolt

// raceEnabled says that the race detector distorts the figures.
const raceEnabled = false
