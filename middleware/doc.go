// Package middleware holds the middleware that most bots want, one a file. They go around every route with Router.Use, the
// first outermost, or around some with Router.With:
//
//	rt.Use(middleware.Recover(), middleware.Log(nil))
//	rt.With(middleware.RateLimit(time.Minute, 3)).Command("deploy", "Ship it.", deploy)
//
// A middleware is called once for every route, so what it keeps ([RateLimit]) it keeps for each route by itself, in the
// memory of one process. All are safe for concurrent use.
package middleware
