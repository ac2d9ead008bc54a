package browser

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// key is a key of the keyboard, in the terms of both protocols.
type key struct {
	name string // KeyboardEvent.key
	code string // KeyboardEvent.code
	vk   int    // Windows virtual key code
	text string // what it types
	// value is WebDriver's: the character, or one of its private use area
	// (WebDriver 2, section 17.4.2).
	value string
	// modifier is the key's bit in the DevTools Protocol, if it is held with others.
	modifier int
}

var named = map[string]key{
	"Enter":      {"Enter", "Enter", 13, "\r", "\ue007", 0},
	"Tab":        {"Tab", "Tab", 9, "", "\ue004", 0},
	"Escape":     {"Escape", "Escape", 27, "", "\ue00c", 0},
	"Backspace":  {"Backspace", "Backspace", 8, "", "\ue003", 0},
	"Delete":     {"Delete", "Delete", 46, "", "\ue017", 0},
	"Space":      {" ", "Space", 32, " ", " ", 0},
	"ArrowLeft":  {"ArrowLeft", "ArrowLeft", 37, "", "\ue012", 0},
	"ArrowUp":    {"ArrowUp", "ArrowUp", 38, "", "\ue013", 0},
	"ArrowRight": {"ArrowRight", "ArrowRight", 39, "", "\ue014", 0},
	"ArrowDown":  {"ArrowDown", "ArrowDown", 40, "", "\ue015", 0},
	"PageUp":     {"PageUp", "PageUp", 33, "", "\ue00e", 0},
	"PageDown":   {"PageDown", "PageDown", 34, "", "\ue00f", 0},
	"End":        {"End", "End", 35, "", "\ue010", 0},
	"Home":       {"Home", "Home", 36, "", "\ue011", 0},
	"Alt":        {"Alt", "AltLeft", 18, "", "\ue00a", 1},
	"Control":    {"Control", "ControlLeft", 17, "", "\ue009", 2},
	"Shift":      {"Shift", "ShiftLeft", 16, "", "\ue008", 8},
}

// parseChord reads "Shift+Enter": keys that are held, and the one that is pressed.
func parseChord(chord string) ([]key, error) {
	names := []string{chord}
	if utf8.RuneCountInString(chord) > 1 {
		names = strings.Split(chord, "+")
	}
	var keys []key
	for i, name := range names {
		k, ok := named[name]
		if !ok {
			if utf8.RuneCountInString(name) != 1 {
				return nil, fmt.Errorf("there is no key %q: see keys.go", name)
			}
			k = character(name)
		}
		if i < len(names)-1 && k.modifier == 0 {
			return nil, fmt.Errorf("%q is not held while others are pressed", name)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// character is the key that types a character, on a keyboard that has one for each.
func character(c string) key {
	k := key{name: c, text: c, value: c}
	if r, _ := utf8.DecodeRuneInString(c); r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		k.vk = int(unicode.ToUpper(r))
		k.code = "Digit" + c
		if unicode.IsLetter(r) {
			k.code = "Key" + strings.ToUpper(c)
		}
	}
	return k
}
