package handler

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// CorrelationID makes a short id of a delivery's: eight letters and digits, always the same for the same delivery, so that
// what a user was told is found in the log of whichever process wrote it.
func CorrelationID(delivery string) string {
	sum := sha256.Sum256([]byte(delivery))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// hashOptions names a set of canonical arguments.
func hashOptions(options map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(options)) {
		h.Write([]byte(strconv.Quote(name) + strconv.Quote(options[name])))
	}
	return hex.EncodeToString(h.Sum(nil))
}
