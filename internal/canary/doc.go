// Package canary shows that no secret leaves the bot where it should not (threat T19).
//
// Every secret that a test of this module hands to the code begins with [Mark]: tokens, keys, what people say to a command that
// takes a secret, what a fake platform hands out. Where the environment variable STARLING_OUTPUTS names a folder, tests write all
// that leaves the code into it, by [Kind]: `make canary` runs the whole suite so and then searches the folder with the command
// in internal/canary/search, in every form that a text takes on its way ([Forms]). Without the variable nothing is written.
//
// A secret whose form is not ours to choose, as one that the code makes up, is told to [Watch] by the test that learns it.
//
// What the mark cannot find: the tail of a secret whose beginning was cut off, a secret that was encrypted, compressed or
// hashed, and what nobody marks or watches: trigger ids (valid for three seconds), codes of six digits that a person types, and
// keys of a fake platform that the bot is never given.
package canary
