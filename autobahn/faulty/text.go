package faulty

import "unicode/utf8"

// validator checks UTF-8 as it arrives.
type validator struct {
	rest  []byte // of a code point
	n     int    // bytes so far
	skip  bool   // everything is accepted
	limit int    // bytes that are checked; 0: all
	block int    // bytes that are checked at once, each block by itself; 0: all
	fresh bool   // a block or fragment begins, whose first bytes may belong to the previous one
}

// newText is the check for a new text message.
func (e *endpoint) newText() validator {
	v := validator{}
	switch {
	case e.has("does not check UTF-8"),
		e.has("checks UTF-8 in the first message only") && e.messages > 1,
		e.has("checks UTF-8 in the first ten messages only") && e.messages > 10,
		e.has("does not check text after a binary message") && e.lastOpcode == opBinary,
		e.has("does not check text after a compressed message") && e.lastCompressed && !e.compressed,
		e.has("does not check compressed text") && e.compressed,
		e.has("does not check compressed text after the first message") && e.compressed && e.messages > 1,
		e.has("does not check compressed text in fragments") && e.compressed && len(e.parts) > 1:
		v.skip = true
	case e.has("checks 4 KiB of a text"):
		v.limit = 4 << 10
	case e.has("checks 64 KiB of a text"):
		v.limit = 64 << 10
	case e.has("checks text in blocks of 16 bytes"):
		v.block = 16
	case e.has("checks text in blocks of 32 bytes"):
		v.block = 32
	case e.has("checks text in blocks of 64 bytes"):
		v.block = 64
	case e.has("checks text in blocks of 128 bytes"):
		v.block = 128
	case e.has("checks compressed text in blocks of 64 bytes") && e.compressed:
		v.block = 64
	}
	return v
}

// fragment is called where a fragment after the first begins.
func (e *endpoint) textFragment() {
	switch {
	case e.has("checks the first fragment of a text"):
		e.text.skip = true
	case e.has("checks each fragment of a text by itself"):
		e.text.rest, e.text.fresh = nil, true
	}
}

func (v *validator) write(p []byte) bool {
	for len(p) > 0 && !v.skip {
		n := len(p)
		if v.block > 0 {
			n = min(n, v.block-v.n%v.block)
		}
		if v.limit > 0 {
			if n = min(n, v.limit-v.n); n == 0 {
				v.skip, v.rest = true, nil
				return true
			}
		}
		if !v.some(p[:n]) {
			return false
		}
		v.n, p = v.n+n, p[n:]
		if v.block > 0 && v.n%v.block == 0 {
			v.fresh = len(v.rest) > 0
			v.rest = nil
		}
	}
	return true
}

func (v *validator) some(p []byte) bool {
	for v.fresh && len(p) > 0 && !utf8.RuneStart(p[0]) {
		p = p[1:]
	}
	if len(p) > 0 {
		v.fresh = false
	}
	b := p
	if len(v.rest) > 0 {
		b = append(v.rest, p...)
	}
	for len(b) >= utf8.UTFMax || utf8.FullRune(b) {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		b = b[n:]
	}
	// An incomplete code point must not be invalid already.
	if len(b) > 1 && !possible(b) {
		return false
	}
	v.rest = append([]byte(nil), b...)
	return true
}

// complete reports whether no code point is unfinished.
func (v *validator) complete() bool { return v.skip || len(v.rest) == 0 }

// possible reports whether b, an incomplete code point, can become a whole one.
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
