//go:build !race

package args_test

const raceEnabled = false
