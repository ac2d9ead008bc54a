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

// CleanName returns a display name in the form in which it is stored, or an error that tells
// people what is wrong with it, where, and why.
//
// Leading and trailing white space is removed, other white space becomes single spaces, and
// the rest is brought into the form NFC. The result has 1 to 32 code points, at least one of
// them a visible letter, digit or symbol. It has nothing invisible (invisible.go), no piles
// of marks (marks.go) and no word that mixes alphabets (scripts.go), and does not pose as the
// server, its staff or another user (impostor.go). Whether it looks like the name of an
// existing user is checked by Directory.PutUser; see LookOf.
//
// The rules use properties of characters. Characters that Unicode has added since this
// program was built are allowed where they cannot be invisible, so that new emoji and new
// scripts work. That is why the profiles of PRECIS (RFC 8265, RFC 8266) are not used: they
// refuse unassigned characters, and emoji that are joined from several.
//
// Names that are already stored are not checked again.
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
		return "", errors.New("the name has no visible letter, digit or symbol")
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

// isVisible reports whether r alone makes a readable name. Punctuation, accents and modifier
// letters can be mere specks.
func isVisible(r rune) bool {
	return unicode.IsLetter(r) && !unicode.Is(unicode.Lm, r) || unicode.IsNumber(r) || unicode.Is(unicode.So, r) || isUnassigned(r) ||
		r == asEmoji || r == keycap // they turn punctuation into emoji
}
