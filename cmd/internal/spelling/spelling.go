// Package spelling finds what a misspelt name of a setting, flag or command was
// meant to be.
package spelling

import "strings"

// Nearest returns the one among names that name was probably meant to be, or "" if none is
// near. Case, and whether words are separated by dashes, dots or underscores, make no
// difference. The part before a dot may be missing, and there may be an extra word at the end.
func Nearest(name string, among []string) string {
	name = fold(name)
	best, least := "", len(name)/3+1
	for _, candidate := range among {
		d := distance(name, fold(candidate))
		if _, rest, ok := strings.Cut(candidate, "."); ok {
			d = min(d, distance(name, fold(rest)))
		}
		if d < least || best == "" && d == least && d <= 2 {
			best, least = candidate, d
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range among {
		if c := fold(candidate); strings.HasPrefix(name, c+"_") && len(candidate) > len(best) {
			best = candidate
		}
	}
	return best
}

// DidYouMean returns Nearest as the end of a sentence, or "".
func DidYouMean(name string, among []string) string {
	if best := Nearest(name, among); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

var separators = strings.NewReplacer("-", "_", ".", "_", `"`, "")

func fold(s string) string { return separators.Replace(strings.ToLower(s)) }

// distance is how many characters have to be inserted, deleted, replaced or swapped
// with their neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
