// Package admin is a ready-made router for those who run the bot:
//
//	status                          adapters, store, counts, version
//	disable ROUTE because REASON    switches a route off, in all processes
//	enable ROUTE                    switches it on again
//	dead list                       events that could not be handled
//	dead show ID                    one of them
//	dead replay ID                  puts it into the inbox again
//	loglevel LEVEL                  how much this process logs
//	backup                          the brain as a file; in private
//
// Every command asks [Config.May] or the guard (Config.Policy), is told to [Config.Audit] before it has an effect, and does
// nothing when that fails.
//
//	off, err := admin.NewSwitch(admin.SwitchConfig{Brain: state.Namespace("admin")})
//	rt.Use(g.Enforce, off.Enforce) // behind the guard: who may not run something is not told why it is off
//	routes, err := admin.New(admin.Config{Bot: admin.Of(func() *starling.Bot { return bot }), Switch: off, Backup: state, May: mayAdmin})
//	rt.Mount("admin", routes)
//
// # Routes that are switched off
//
// [Switch] refuses them with the reason, who did it and when; a Hear and other routes that nobody addressed stay silent. Which
// routes are off is one key of the brain. The process where it was said knows at once, others within SwitchConfig.CacheFor.
// When the brain cannot tell, and for longer than that, all routes are refused but those of this package. The routes of this
// package cannot be switched off, so that nobody locks themselves out. Give the Switch to the guard (guard.Config.Obstacles), too:
// the command why then says that a route is off.
//
// # Backup
//
// The file is what brain.Export writes of [Config.Backup], for brain.Import: what means nothing elsewhere (leases, what was
// seen) is left out. It holds whatever the bot keeps, people's messages included, so it goes to the direct room alone. With
// brain/sealed, give Config.Backup the brain of the store below: then the values in the file are sealed too, and of no use without the
// keys.
package admin
