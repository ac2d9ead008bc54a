package chat

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxName is the length of a display name in code points.
const MaxName = 32

// CleanName returns a display name as it is stored, or an error for people that says
// what is wrong with it, where, and why.
//
// White space around the name goes, any other becomes one space, and the rest is
// brought into the form NFC. The result has 1 to 32 code points and a letter, digit or
// symbol that can be seen. It has nothing invisible (invisible.go), no piles of marks
// (marks.go), no word that mixes alphabets (scripts.go), and does not pose as the
// server, its staff or another user (impostor.go). Whether it looks like the name that
// another user has is for the Store to say, which knows them: see LookOf.
//
// The rules go by properties of characters. Those that Unicode has added since this
// program was built are let in where they cannot be invisible, so that new emoji and
// new scripts work. That is why the profiles of PRECIS (RFC 8265, RFC 8266) do not
// serve: they refuse what is unassigned, and every emoji that is joined of several.
//
// Names that are stored already are not judged again.
func CleanName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", errors.New("the name is not UTF-8")
	}
	if n := utf8.RuneCountInString(name); n > 8*MaxName { // NFC would not make it short enough
		return "", errLength(n)
	}
	if err := checkCharacters(name); err != nil {
		return "", err
	}
	name = norm.NFC.String(strings.Join(strings.Fields(name), " "))
	if n := utf8.RuneCountInString(name); n == 0 || n > MaxName {
		return "", errLength(n)
	}
	if err := checkMarks(name); err != nil {
		return "", err
	}
	if !strings.ContainsFunc(norm.NFKC.String(name), isVisible) {
		return "", errors.New("the name has no letter, digit or symbol that can be seen")
	}
	if err := checkScripts(name); err != nil {
		return "", err
	}
	if err := checkImpostor(name); err != nil {
		return "", err
	}
	return name, nil
}

func errLength(n int) error {
	return fmt.Errorf("the name has %d characters; 1 to %d are allowed", n, MaxName)
}

// isVisible reports whether r alone makes a name that can be read. Punctuation,
// accents and the modifiers among the letters can be specks.
func isVisible(r rune) bool {
	return unicode.IsLetter(r) && !unicode.Is(unicode.Lm, r) || unicode.IsNumber(r) || unicode.Is(unicode.So, r) || isUnassigned(r) ||
		r == asEmoji || r == keycap // which make emoji of punctuation
}
