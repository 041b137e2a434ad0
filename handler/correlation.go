package handler

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// CorrelationID makes a short id of a delivery's: eight letters and digits, always the same for the same delivery, so that
// what a user was told is found in the log of whichever process wrote it.
func CorrelationID(delivery string) string {
	sum := sha256.Sum256([]byte(delivery))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}
