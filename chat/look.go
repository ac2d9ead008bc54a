package chat

import (
	"strings"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/unicode/norm"
)

// LookVersion changes when LookOf returns a different look for some name. An engine that
// stores looks must then compute them again.
const LookVersion = "1"

// LookOf returns the look of a name, whatever characters it consists of: two names have the
// same look if a reader could take one for the other. It is the skeleton (UTS #39, 4) of the
// name's compatibility form without invisible characters, and is only for comparison. Upper
// and lower case look different.
func LookOf(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(name) {
		if !isIgnorable(r) {
			b.WriteString(lookOf(r))
		}
	}
	return norm.NFD.String(b.String())
}

// lookOf returns the look of one character. The library's Skeleton drops unassigned
// characters, and with them every new emoji.
func lookOf(r rune) string {
	if like := confusable.GetReplacement(r); like != "" {
		return like
	}
	return string(r)
}
