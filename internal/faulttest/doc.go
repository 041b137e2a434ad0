// Package faulttest holds the fault runs that need a proxy or run long. It has tests alone, so that what they need is not
// in the go.sum of who uses an adapter. Each run prints its figures as one line of JSON and fails when they are not those of
// the project (see threats R1 to R13 in the design).
package faulttest
