//go:build race

package handler_test

// raceEnabled: the race detector makes everything many times slower, so limits of time are not checked.
const raceEnabled = true
