package chat

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// reading is how far a name has been read: what of a word, and whether a reserved word
// came before it.
type reading struct {
	part  string
	found bool
}

// folded holds the reserved words and companions as the first of their readings, and
// all beginnings of these.
var foldedSlowly = foldWords()

type wordList struct{ beginnings, words, reserved map[string]bool }

func foldWords() wordList {
	l := wordList{map[string]bool{"": true}, map[string]bool{}, map[string]bool{}}
	for i, list := range [][]string{reserved, companions} {
		for _, w := range list {
			var f string
			for _, r := range norm.NFKD.String(w) {
				f += fold(r)[0]
			}
			l.words[f] = true
			if i == 0 {
				l.reserved[f] = true
			}
			for n := range f {
				l.beginnings[f[:n]] = true
			}
			l.beginnings[f] = true
		}
	}
	return l
}

func readsReservedSlowly(name string) bool {
	at := map[reading]bool{{}: true}
	for _, r := range norm.NFKD.String(name) {
		if isIgnorable(r) {
			continue
		}
		next := map[reading]bool{}
		for _, letters := range fold(r) {
			for rd := range at {
				foldedSlowly.advance(next, rd, letters)
			}
		}
		at = next
	}
	for rd := range at {
		if foldedSlowly.reserved[rd.part] || rd.found && (rd.part == "" || foldedSlowly.words[rd.part]) {
			return true
		}
	}
	return false
}

// advance reads letters after rd, and adds to next where that can lead.
func (l wordList) advance(next map[reading]bool, rd reading, letters string) {
	if letters == "" {
		next[rd] = true
		return
	}
	if part := rd.part + letters; l.beginnings[part] {
		next[reading{part, rd.found}] = true
	}
	if l.words[rd.part] && l.beginnings[letters] {
		next[reading{letters, rd.found || l.reserved[rd.part]}] = true
	}
}

// The tree of words and the maps of their beginnings read every name alike.
func TestReadsReserved(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	words := append(append([]string{"Ada", "ali", "moda"}, reserved...), companions...)
	letters := []rune("adminsteroh1l|!3$@7. _-IWwᴀ🅰ａАдм管ⅿé\u0301٤ﷺ")
	compare := func(name string) bool {
		got, want := readsReserved(name), readsReservedSlowly(name)
		if got != want {
			t.Fatalf("%q: %v, and slowly %v", name, got, want)
		}
		return got
	}
	found := 0
	for range 10_000 {
		var name strings.Builder
		for range random.IntN(4) {
			w := []rune(words[random.IntN(len(words))])
			for range random.IntN(3) {
				w[random.IntN(len(w))] = letters[random.IntN(len(letters))]
			}
			fmt.Fprint(&name, string(w), string(letters[random.IntN(len(letters))]))
		}
		if compare(name.String()) {
			found++
		}
	}
	for _, w := range words[3:] {
		compare(w)
	}
	if found == 0 {
		t.Error("no name could be read as a reserved one")
	}
}
