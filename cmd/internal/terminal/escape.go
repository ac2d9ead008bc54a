package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape returns s with everything escaped that moves a terminal's cursor, changes
// its state or reorders what stands on it: control and formatting characters, C1 and
// the newline among them, and bytes that are not UTF-8. It stays on one line.
func Escape(s string) string {
	if strings.IndexFunc(s, suspicious) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if unsafe(r, size) {
			b.WriteString(readable(r, s[:size]))
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// suspicious is unsafe for what may be a byte that is no UTF-8.
func suspicious(r rune) bool { return r == utf8.RuneError || unsafe(r, 0) }

// unsafe reports whether a rune of so many bytes is escaped. The two joiners,
// without which emoji and Persian fall apart, are harmless.
func unsafe(r rune, size int) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return r == utf8.RuneError && size == 1 || !unicode.IsGraphic(r) && r != nonJoiner && r != joiner
}

// readable is an unsafe rune, which is written as raw, in the way of Go.
func readable(r rune, raw string) string {
	if r == utf8.RuneError && len(raw) == 1 {
		return fmt.Sprintf(`\x%02x`, raw[0])
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}

// portable is an unsafe rune in the way of JSON, which is readable elsewhere, too.
func portable(r rune, _ string) string {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04x`, high, low)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
