package chat

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/runenames"
)

const (
	zwnj      = '\u200c'
	zwj       = '\u200d'
	asEmoji   = '\ufe0f'
	keycap    = '\u20e3'
	blackFlag = '\U0001f3f4'
	tagEnd    = '\U000e007f'
)

// blank are characters that are letters or symbols by Unicode's categories, but show nothing.
// No property distinguishes them.
var blank = map[rune]bool{
	'\u2800':     true, // Braille pattern blank
	'\ufffc':     true, // object replacement character
	'\U00013441': true, // Egyptian hieroglyph full blank
	'\U00013442': true, // Egyptian hieroglyph half blank
	'\U0001d159': true, // musical symbol null notehead
	'\U00016fe4': true, // Khitan small script filler
}

// isIgnorable reports whether r has the property Default_Ignorable_Code_Point: it shows
// nothing, or only changes how its neighbours are shown.
func isIgnorable(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// isUnassigned reports whether r was unassigned when this program was built, but may be a
// letter or symbol by now. Beyond the third plane there are only selectors, tags and private
// use.
func isUnassigned(r rune) bool {
	return r < 0x40000 && unicode.Is(unicode.Cn, r) && !isNoncharacter(r) && !isIgnorable(r)
}

func isNoncharacter(r rune) bool { return r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef }

// checkCharacters refuses a name with a character that is invisible in its place.
func checkCharacters(name string) error {
	rs := []rune(name)
	first, last := bounds(rs)
	for i := first; i <= last; i++ {
		if fault := faultAt(rs, i); fault != "" {
			return fmt.Errorf("character %d of the name is %s, which %s", i+1, describe(rs[i]), fault)
		}
	}
	return nil
}

// bounds returns the indices of the first and last rune that are not white space.
func bounds(rs []rune) (first, last int) {
	last = len(rs) - 1
	for first <= last && unicode.IsSpace(rs[first]) {
		first++
	}
	for last > first && unicode.IsSpace(rs[last]) {
		last--
	}
	return first, last
}

// faultAt returns what is wrong with rs[i] in its place, or "".
func faultAt(rs []rune, i int) string {
	r := rs[i]
	switch {
	case unicode.Is(unicode.Cc, r):
		return "is a control character"
	case unicode.In(r, unicode.Zl, unicode.Zp):
		return "ends a line"
	case isBidiControl(r):
		return "is invisible and changes the direction of writing"
	case r == zwj || r == zwnj:
		if !joins(rs, i) {
			return "is invisible here; it is allowed inside emoji, and in scripts whose letters it joins or separates"
		}
	case unicode.Is(unicode.Variation_Selector, r):
		if !selects(rs, i) {
			return "is invisible here; it is allowed after an emoji, or a character that has variants"
		}
	case 0xe0020 <= r && r <= tagEnd:
		if !inFlag(rs, i) {
			return "is invisible; it is allowed only in the flag of a region"
		}
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return "encloses numbers and is not allowed in names"
	case isIgnorable(r):
		return "is invisible"
	case blank[r]:
		return "is blank"
	case r == unicode.ReplacementChar:
		return "is a sign of damaged text"
	case unicode.Is(unicode.Co, r):
		return "looks different on every system"
	case unicode.Is(unicode.Cn, r) && !isUnassigned(r):
		return "has no appearance"
	}
	return ""
}

func isBidiControl(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// joins reports whether the joiner rs[i] has an effect: between the parts of an emoji,
// after a virama, which it gives its form, or within a word of a script in which
// letters are joined. Persian and most scripts of India need that.
func joins(rs []rune, i int) bool {
	if i == 0 {
		return false
	}
	before := rs[i-1]
	if norm.NFD.PropertiesString(string(before)).CCC() == 9 { // a virama
		return true
	}
	if i+1 == len(rs) || before == zwj || before == zwnj {
		return false
	}
	base, next := baseBefore(rs, i), rs[i+1]
	if rs[i] == zwj && isPictograph(base) && (isPictograph(next) || unicode.Is(unicode.Sm, next)) {
		return true
	}
	script := scriptOf(base)
	return unicode.IsLetter(base) && !plainScripts[script] && (unicode.IsLetter(next) || unicode.IsMark(next)) &&
		(scriptOf(next) == script || scriptOf(next) == common)
}

// isPictograph reports whether r can be part of an emoji that is joined from several.
func isPictograph(r rune) bool { return unicode.Is(unicode.So, r) || isUnassigned(r) }

// baseBefore returns the character before rs[i] that marks, selectors and skin tones apply
// to.
func baseBefore(rs []rune, i int) rune {
	for i--; i > 0 && (unicode.IsMark(rs[i]) || isIgnorable(rs[i]) || isSkinTone(rs[i])); i-- {
	}
	return rs[max(i, 0)]
}

func isSkinTone(r rune) bool { return 0x1f3fb <= r && r <= 0x1f3ff }

// selects reports whether the variation selector rs[i] follows a character that has variants.
func selects(rs []rune, i int) bool {
	if i == 0 {
		return false
	}
	r, before := rs[i], rs[i-1]
	switch {
	case r == '\ufe0e' || r == asEmoji: // '\ufe0e' is as text
		if strings.ContainsRune("0123456789#*", before) {
			return i+1 < len(rs) && rs[i+1] == keycap
		}
		return unicode.IsSymbol(before) || isUnassigned(before) || strings.ContainsRune("‼⁉〰ℹ", before)
	case unicode.Is(unicode.Han, before): // the forms of a character that people have in their names
		return '\ufe00' <= r && r <= '\ufe02' || r >= 0xe0100
	case unicode.Is(unicode.Mongolian, before):
		return 0x180b <= r && r <= 0x180f
	}
	return false
}

// inFlag reports whether the tag rs[i] belongs to a black flag with the letters and
// digits of a region and an end: Scotland's is one.
func inFlag(rs []rune, i int) bool {
	first := i
	for first > 0 && 0xe0020 <= rs[first-1] && rs[first-1] <= tagEnd {
		first--
	}
	end := first
	for end < len(rs) && (0xe0030 <= rs[end] && rs[end] <= 0xe0039 || 0xe0061 <= rs[end] && rs[end] <= 0xe007a) {
		end++
	}
	n := end - first
	return first > 0 && rs[first-1] == blackFlag && 3 <= n && n <= 6 && end < len(rs) && rs[end] == tagEnd && i <= end
}

// describe describes a character for people: its code point and its Unicode name.
func describe(r rune) string {
	name := strings.Trim(runenames.Name(r), "<>")
	if name == "" {
		name = "not assigned"
	}
	return fmt.Sprintf("%U %s", r, name)
}
