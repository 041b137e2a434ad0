// Package handler holds what a bot does: the [Handler] and its [Request], the [Router] that decides which handlers an
// event reaches, and the answers and state changes that a handler makes.
//
// A route is made by [Router.Hear] (any message), [Router.Respond] and [Router.Command] (addressed to the bot),
// [Router.On] (other kinds of event) or [Router.Fallback] (addressed, and nothing matched). Every Hear and On that matches
// runs, in the order of registration, then at most one Command or Respond: commands first, longest name first, then the
// first Respond that matches.
//
// A message is addressed when it begins with the bot's name or an alias ("starling ping", "@Starling: ping", "!ping") or
// stands in a direct room. Names are literal, in any case, and end at a boundary.
//
// Mistakes in registration do not panic: they are collected with file and line and returned together by starling.New.
package handler
