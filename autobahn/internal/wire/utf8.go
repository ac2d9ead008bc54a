package wire

import "unicode/utf8"

// Validator checks UTF-8 (RFC 3629) as it arrives. The zero value is ready.
type Validator struct {
	pending [utf8.UTFMax]byte
	n       int
}

// Write adds the next bytes and reports whether all bytes so far can still
// become valid UTF-8.
func (v *Validator) Write(p []byte) bool {
	for v.n > 0 && len(p) > 0 {
		v.pending[v.n] = p[0]
		v.n, p = v.n+1, p[1:]
		if utf8.FullRune(v.pending[:v.n]) {
			if r, size := utf8.DecodeRune(v.pending[:v.n]); r == utf8.RuneError && size <= 1 {
				return false
			}
			v.n = 0
		}
	}
	end := len(p)
	for i := end - 1; i >= 0 && i >= end-3; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				v.n = copy(v.pending[:], p[i:])
				p = p[:i]
			}
			break
		}
	}
	return utf8.Valid(p)
}

// Complete reports whether no code point is unfinished.
func (v *Validator) Complete() bool { return v.n == 0 }

// Reset forgets what was written.
func (v *Validator) Reset() { v.n = 0 }
