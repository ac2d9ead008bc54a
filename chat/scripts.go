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
	// common is the script of what belongs to several: digits, punctuation, emoji, and
	// the marks that stand on letters of any.
	common = "Common"

	// unknown is the script of a character that is newer than this program, and far from
	// any that is not.
	unknown = "an unknown script"
)

// plainScripts are those whose letters stand side by side: joiners between them show
// nothing, and they bear few marks. Any other script, and any new one, may be one that
// needs both.
var plainScripts = map[string]bool{
	"Latin": true, "Greek": true, "Cyrillic": true, "Armenian": true, "Georgian": true, "Coptic": true, "Cherokee": true,
	"Lisu": true, "Ethiopic": true, "Han": true, "Hangul": true, "Hiragana": true, "Katakana": true, "Bopomofo": true,
	"Canadian_Aboriginal": true, "Deseret": true, "Osage": true, "Glagolitic": true, "Gothic": true, "Runic": true,
	"Ogham": true, "Yi": true, common: true,
}

// mixed are the scripts that one word may mix: the "highly restrictive" level of UTS #39,
// 5.2, which is how Japanese, Chinese and Korean are written.
var mixed = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// scriptRange says that the characters from lo to hi have a script.
type scriptRange struct {
	lo, hi rune
	script string
}

// scriptRanges is unicode.Scripts by character, in order. Asking its 160 tables one after
// the other would cost milliseconds a name.
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

// scriptOf is the name of r's script. An unassigned character is taken for one of the
// script before it in its block: blocks are filled in that order.
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

// word is part of a name without spaces, punctuation and symbols.
type word struct {
	text    string
	scripts []string // without common
}

// words cuts a name into words. Compatibility forms (mathematical or wide letters)
// count as the letters that they stand for.
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

// checkScripts refuses a word that mixes alphabets, as "Аdа" does with two Cyrillic
// letters, and beside words of other alphabets one that looks Latin and is not, as
// "Вор" does after "Bob".
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

// mayMix reports whether letters of all these scripts may stand in one word.
func mayMix(scripts []string) bool {
	if len(scripts) < 2 {
		return true
	}
	return slices.ContainsFunc(mixed, func(allowed []string) bool {
		return !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(allowed, s) })
	})
}
