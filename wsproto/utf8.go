package wsproto

import (
	"encoding/binary"
	"unicode/utf8"
)

// utf8Check validates UTF-8 that arrives in pieces, and refuses it at the first byte
// that makes it invalid whatever follows (RFC 6455 §8.1). Its zero value is ready.
//
//	UTF8-octets = *( UTF8-char )                                  RFC 3629 §4
//	UTF8-2      = %xC2-DF UTF8-tail
//	UTF8-3      = %xE0 %xA0-BF UTF8-tail / %xE1-EC 2( UTF8-tail ) /
//	              %xED %x80-9F UTF8-tail / %xEE-EF 2( UTF8-tail )
//	UTF8-4      = %xF0 %x90-BF 2( UTF8-tail ) / %xF1-F3 3( UTF8-tail ) /
//	              %xF4 %x80-8F 2( UTF8-tail )
type utf8Check struct {
	need   uint8 // continuation bytes that the last character still lacks
	lo, hi byte  // the valid range of the next of them
}

// write adds p, and reports whether what was written so far can still become valid.
func (u *utf8Check) write(p []byte) bool {
	for u.need > 0 {
		if len(p) == 0 {
			return true
		}
		if !u.step(p[0]) {
			return false
		}
		p = p[1:]
	}
	cut := lastRune(p)
	if !validUTF8(p[:cut]) {
		return false
	}
	for _, b := range p[cut:] {
		if !u.step(b) {
			return false
		}
	}
	return true
}

// complete reports whether what was written so far ends with a whole character.
func (u *utf8Check) complete() bool { return u.need == 0 }

// validUTF8 is utf8.Valid, but faster if p is, or begins with, ASCII.
func validUTF8(p []byte) bool {
	const high = 0x8080808080808080
	for len(p) >= 32 {
		q := (*[32]byte)(p)
		if (binary.LittleEndian.Uint64(q[0:])|binary.LittleEndian.Uint64(q[8:])|
			binary.LittleEndian.Uint64(q[16:])|binary.LittleEndian.Uint64(q[24:]))&high != 0 {
			break
		}
		p = p[32:]
	}
	return utf8.Valid(p)
}

func (u *utf8Check) step(b byte) bool {
	if u.need > 0 {
		if b < u.lo || b > u.hi {
			return false
		}
		u.need--
		u.lo, u.hi = 0x80, 0xBF
		return true
	}
	u.lo, u.hi = 0x80, 0xBF
	switch {
	case b < 0x80:
		return true
	case b < 0xC2:
		return false
	case b < 0xE0:
		u.need = 1
	case b < 0xF0:
		u.need = 2
		if b == 0xE0 {
			u.lo = 0xA0
		} else if b == 0xED {
			u.hi = 0x9F
		}
	case b < 0xF5:
		u.need = 3
		if b == 0xF0 {
			u.lo = 0x90
		} else if b == 0xF4 {
			u.hi = 0x8F
		}
	default:
		return false
	}
	return true
}

// lastRune returns where the last character of p starts if p may end inside it,
// otherwise len(p).
func lastRune(p []byte) int {
	for i := len(p) - 1; i >= 0 && i >= len(p)-3; i-- {
		if b := p[i]; b >= 0xC0 {
			return i
		} else if b < 0x80 {
			break
		}
	}
	return len(p)
}
