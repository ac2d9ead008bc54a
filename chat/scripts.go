package chat

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	// common is the script of characters that belong to several scripts: digits,
	// punctuation, emoji, and marks that are used on letters of any script.
	common = "Common"

	// unknown is the script of a character that is newer than this program, and in a block
	// that this program does not know.
	unknown = "an unknown script"
)

// plainScripts are those whose letters are simply put side by side: joiners between them have
// no effect, and they need few marks. Any other script, and any new one, may need both.
var plainScripts = map[string]bool{
	"Latin": true, "Greek": true, "Cyrillic": true, "Armenian": true, "Georgian": true, "Coptic": true, "Cherokee": true,
	"Lisu": true, "Ethiopic": true, "Han": true, "Hangul": true, "Hiragana": true, "Katakana": true, "Bopomofo": true,
	"Canadian_Aboriginal": true, "Deseret": true, "Osage": true, "Glagolitic": true, "Gothic": true, "Runic": true,
	"Ogham": true, "Yi": true, common: true,
}

// mixed are the scripts that may be mixed in one word, by the "highly restrictive" level of
// UTS #39, 5.2: Japanese, Chinese and Korean are written that way.
var mixed = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// scriptRange is a range of characters, lo to hi, that have the same script.
type scriptRange struct {
	lo, hi rune
	script string
}

// scriptRanges is unicode.Scripts as one list in order of characters. Searching its 160
// tables one after the other would take milliseconds per name.
var scriptRanges = sync.OnceValue(func() (ranges []scriptRange) {
	for script, table := range unicode.Scripts {
		if script == "Inherited" {
			script = common
		}
		add := func(lo, hi, stride rune) {
			if stride == 1 {
				ranges = append(ranges, scriptRange{lo, hi, script})
				return
			}
			for ; lo <= hi; lo += stride {
				ranges = append(ranges, scriptRange{lo, lo, script})
			}
		}
		for _, r := range table.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	slices.SortFunc(ranges, func(a, b scriptRange) int { return cmp.Compare(a.lo, b.lo) })
	return ranges
})

// scriptOf returns the name of r's script. An unassigned character is assumed to have the
// script of the character before it in its block, because blocks are filled in that order.
func scriptOf(r rune) string {
	ranges := scriptRanges()
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].lo > r }) - 1
	switch {
	case i >= 0 && r <= ranges[i].hi:
		return ranges[i].script
	case 0x1f000 <= r && r <= 0x1ffff: // set aside for symbols
		return common
	case i >= 0 && ranges[i].hi >= r&^0x7f:
		return ranges[i].script
	}
	return unknown
}

// word is a part of a name without spaces, punctuation and symbols.
type word struct {
	text    string
	scripts []string // without common
}

// words splits a name into words. Compatibility forms (mathematical or wide letters) count as
// the letters that they stand for.
func words(name string) (list []word) {
	apart := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) && !isIgnorable(r)
	}
	for text := range strings.FieldsFuncSeq(norm.NFKC.String(name), apart) {
		list = append(list, word{text, scriptsOf(text)})
	}
	return list
}

func scriptsOf(text string) (scripts []string) {
	for _, r := range text {
		if script := scriptOf(r); script != common && !slices.Contains(scripts, script) {
			scripts = append(scripts, script)
		}
	}
	slices.Sort(scripts)
	return scripts
}

// checkScripts refuses a word that mixes alphabets, such as "Аdа" with two Cyrillic letters.
// In a name with words of several alphabets, it also refuses a word that looks Latin but is
// not, such as "Вор" after "Bob".
func checkScripts(name string) error {
	list := words(name)
	several := len(scriptsOf(norm.NFKC.String(name))) > 1
	for _, w := range list {
		if !mayMix(w.scripts) {
			return fmt.Errorf("the word %q mixes letters of %s; use one alphabet in a word", w.text, strings.Join(w.scripts, " and "))
		}
		if several && len(w.scripts) == 1 && w.scripts[0] != "Latin" && !strings.ContainsFunc(LookOf(w.text), isForeign) {
			return fmt.Errorf("the word %q is of %s letters, but each of them looks Latin", w.text, w.scripts[0])
		}
	}
	return nil
}

// isForeign reports whether a letter is none of A to Z.
func isForeign(r rune) bool { return r >= 0x80 && unicode.IsLetter(r) }

// mayMix reports whether letters of all these scripts may be in one word.
func mayMix(scripts []string) bool {
	if len(scripts) < 2 {
		return true
	}
	return slices.ContainsFunc(mixed, func(allowed []string) bool {
		return !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(allowed, s) })
	})
}
