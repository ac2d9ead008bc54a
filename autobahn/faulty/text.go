package faulty

import "unicode/utf8"

// validator checks UTF-8 as it arrives.
type validator struct{ rest []byte }

func (v *validator) write(p []byte) bool {
	b := append(v.rest, p...)
	for len(b) > 0 {
		if !utf8.FullRune(b) {
			break
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		b = b[n:]
	}
	// What may still become a code point must not be wrong already.
	if len(b) > 1 && !possible(b) {
		return false
	}
	v.rest = append([]byte(nil), b...)
	return true
}

// possible reports whether b, which is no whole code point, can become one.
func possible(b []byte) bool {
	for _, last := range []byte{0x80, 0xBF} {
		c := append([]byte(nil), b...)
		for len(c) < 4 && !utf8.FullRune(c) {
			c = append(c, last)
		}
		if utf8.Valid(c) {
			return true
		}
	}
	return false
}
