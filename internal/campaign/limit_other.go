//go:build !linux

package main

// limitFiles does nothing: a full disk is tried on Linux alone.
func limitFiles() func() { return func() {} }
