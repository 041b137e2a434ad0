// Package otp is a second factor by an authenticator app: time-based one-time passwords (RFC 6238), enrolled by a QR code,
// with secrets encrypted in the brain, where no code works twice.
//
//	factor, err := otp.New(otp.Config{Brain: state.Namespace("otp"), Keys: keys, Issuer: "Ops bot"})
//	e, err := factor.Enrol(ctx, user.Key(), user.Name) // show e.PNG or e.URI to the user alone, by direct message
//	err = factor.Confirm(ctx, user.Key(), "123456")    // the first code, which proves that the app has it
//	err = factor.Verify(ctx, user.Key(), "654321")     // from then on
//
// # What it holds against
//
// A code is accepted once: the step of the last accepted one is stored in the same write that accepts, by whichever
// process, so of any number of tries at once one succeeds, and none after a crash. A code of the step before or after is
// accepted too, for clocks that differ, and never one before the last. After 5 wrong codes in a row, used ones included,
// no code is looked at for 15 minutes; whoever guesses all the time has 480 tries a day at 3 codes of 1,000,000, about
// 1 in 700 a day, and the audit log shows it. The time of a comparison does not depend on the code. Errors of the brain, and
// a record that does not open, are refusals.
//
// A user who is enrolled cannot enrol again: whoever took over the chat account would. [OTP.Reset] is for admins. That a first
// enrolment is by the right person is for the bot to see to: let an admin allow it, or do it together.
//
// Clocks of the bot's machines must be right to some seconds. One that was far ahead when it accepted a code refuses that
// user's codes until the time has come: reset and enrol anew.
package otp
