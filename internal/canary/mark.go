package canary

// Mark begins every secret in a test of this module. It is of lower case letters alone, so that any token can have it, and long
// enough not to come up by chance.
const Mark = "cnrymark"

// Secret gives a secret for what is named.
func Secret(what string) string { return Mark + "-" + what }
