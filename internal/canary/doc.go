// Package canary holds the test that gives a bot secrets in every way there is and looks for them in all that leaves it: what it
// posts, logs, audits, reports and keeps.
package canary
