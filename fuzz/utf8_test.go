package fuzz

import (
	"testing"

	"github.com/hawser-ws/hawser/wsproto"
)

// decodeUTF8 walks over p by the definition of RFC 3629 §3: the bits of each
// sequence, put together, must be a scalar value that needs that many bytes. bad
// is the index of the first byte after which no continuation is left that would
// do, or -1; open says that p ends inside a sequence.
func decodeUTF8(p []byte) (bad int, open bool) {
	for i := 0; i < len(p); {
		length, value := sequence(p[i])
		least := [...]int{1 << 30, 0, 0x80, 0x800, 0x10000}[length]
		for k := range max(length, 1) {
			if i+k == len(p) {
				return -1, true
			}
			if k > 0 {
				if p[i+k]>>6 != 0b10 {
					return i + k, false
				}
				value = value<<6 + int(p[i+k]&0x3F)
			}
			missing := 6 * (length - 1 - k)
			lowest := max(value<<max(missing, 0), least)
			highest := value<<max(missing, 0) + 1<<max(missing, 0) - 1
			surrogates := lowest >= 0xD800 && highest <= 0xDFFF
			if lowest > highest || lowest > 0x10FFFF || surrogates {
				return i + k, false
			}
		}
		i += length
	}
	return -1, false
}

// sequence is how long a sequence with this first byte is, 0 if none has it, and
// the bits that the byte gives to the value.
func sequence(first byte) (length, value int) {
	switch {
	case first>>7 == 0:
		return 1, int(first)
	case first>>5 == 0b110:
		return 2, int(first & 0x1F)
	case first>>4 == 0b1110:
		return 3, int(first & 0x0F)
	case first>>3 == 0b11110:
		return 4, int(first & 0x07)
	}
	return 0, 0
}

func isUTF8(p []byte) bool {
	bad, open := decodeUTF8(p)
	return bad < 0 && !open
}

// A text message is accepted if and only if it is UTF-8, however it was framed
// and fed, and refused at the byte that made it impossible.
func FuzzUTF8(f *testing.F) {
	for _, text := range []string{
		"", "a", "κόσμε", "\U0010FFFF", "\xED\x9F\xBF\xEE\x80\x80", "\xCE", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80",
		"\xF0\x8F\xBF\xBF", "\xE0\x9F\xBF", "\xF8\x88\x80\x80\x80", "\x80", "\xEF\xBF\xBE", "\xC1\xBF", "\xFE\xFF",
		"thirty-two bytes of ASCII, and then \xE2\x82\xAC", "\xE2\x82\xAC thirty-two bytes behind it, all of ASCII \xE2\x82",
	} {
		f.Add([]byte(text), []byte{}, []byte{})
		f.Add([]byte(text), []byte{1}, []byte{3})
		f.Add([]byte(text), []byte{2, 0}, []byte{1})
	}
	f.Fuzz(func(t *testing.T, text, frames, cuts []byte) {
		for _, role := range []wsproto.Role{wsproto.Server, wsproto.Client} {
			for _, stream := range []bool{false, true} {
				s := settings{Role: role, Limit: 1 << 20, Fragments: -1, Stream: stream}
				s.check(t, s.message(nil, 1, text, frames), cuts)
			}
		}
	})
}
