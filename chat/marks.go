package chat

import (
	"fmt"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The maximum number of marks on one character, precomposed ones included. Polytonic Greek
// needs up to three, Vietnamese two, and Hebrew, Arabic and the scripts of South and
// South-East Asia up to four (UTS #39, 5.4).
const (
	maxMarksPlain = 3
	maxMarks      = 4
)

// checkMarks refuses marks over nothing, and piles of them.
func checkMarks(name string) error {
	var base, last rune // last is the previous mark on the base, if there is one
	count, at := 0, 0
	for _, composed := range name {
		at++
		for _, r := range norm.NFD.String(string(composed)) {
			switch {
			case isIgnorable(r):
				continue
			case !unicode.IsMark(r):
				base, last, count = r, 0, 0
				continue
			case base == 0 || base == ' ':
				return fmt.Errorf("character %d of the name is %s, which has no letter under it", at, describe(r))
			case unicode.Is(unicode.Mc, r):
				continue // it takes up its own space in the line
			case r == last:
				return fmt.Errorf("character %d of the name is %s, repeated on the same letter", at, describe(r))
			}
			limit := maxMarks
			if script := scriptOf(base); plainScripts[script] {
				limit = maxMarksPlain
			}
			if count++; count > limit {
				return fmt.Errorf("character %d of the name is %s; at most %d marks are allowed on one letter here", at, describe(r), limit)
			}
			last = r
		}
	}
	return nil
}
