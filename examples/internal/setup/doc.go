// Package setup is what the example bots do before they run: open the brain, say what they read from the environment, and test
// a bot whose brain is in use.
package setup
