// Package crashtest kills a real bot process and looks at what the next one does. It is apart from the root package so that
// the tests of the root need no terminal.
package crashtest
