package chat

import (
	"strings"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/unicode/norm"
)

// LookVersion changes when LookOf gives another answer for some name. A store that
// keeps looks makes them anew then.
const LookVersion = "1"

// LookOf is what a name looks like, whichever characters it is made of: two names have
// the same look if a reader could take one for the other. It is the skeleton of UTS #39,
// 4, of the name in its compatibility form and without what is invisible, and is good
// for comparing only. Upper and lower case look different.
func LookOf(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(name) {
		if !isIgnorable(r) {
			b.WriteString(lookOf(r))
		}
	}
	return norm.NFD.String(b.String())
}

// lookOf is what one character looks like. The library's own Skeleton drops what is
// unassigned, and with it every new emoji.
func lookOf(r rune) string {
	if like := confusable.GetReplacement(r); like != "" {
		return like
	}
	return string(r)
}
