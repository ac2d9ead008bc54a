package deflate

import (
	"encoding/binary"
	"math/bits"
)

// Token is a literal byte, or a copy of Length bytes from Distance bytes back.
type Token struct {
	Literal  byte
	Length   int // 0: a literal
	Distance int
}

// Literals are the tokens of p, byte by byte.
func Literals(p []byte) []Token {
	t := make([]Token, len(p))
	for i, b := range p {
		t[i].Literal = b
	}
	return t
}

// Copy is the token that copies length bytes (3 to 258) from distance bytes back.
func Copy(length, distance int) Token { return Token{Length: length, Distance: distance} }

// RFC 1951 §3.2.5.
var (
	lengthBase  = [29]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// symbol writes a literal/length symbol with the fixed code.
func (s *Stream) symbol(v uint32) {
	switch {
	case v < 144:
		s.huffman(0x30+v, 8)
	case v < 256:
		s.huffman(0x190+v-144, 9)
	case v < 280:
		s.huffman(v-256, 7)
	default:
		s.huffman(0xC0+v-280, 8)
	}
}

func (s *Stream) token(t Token) {
	if t.Length == 0 {
		s.symbol(uint32(t.Literal))
		return
	}
	i := len(lengthBase) - 1
	for lengthBase[i] > t.Length {
		i--
	}
	s.symbol(uint32(257 + i))
	s.Bits(uint64(t.Length-lengthBase[i]), lengthExtra[i])
	i = len(distBase) - 1
	for distBase[i] > t.Distance {
		i--
	}
	s.huffman(uint32(i), 5)
	s.Bits(uint64(t.Distance-distBase[i]), distExtra[i])
}

// Tokens is a greedy search for copies of at most window bytes back. history is what
// precedes p in the stream.
func Tokens(history, p []byte, window int) []Token {
	if len(history) > window {
		history = history[len(history)-window:]
	}
	b := append(append(make([]byte, 0, len(history)+len(p)), history...), p...)
	seen := newIndex(b)
	for i := range history {
		seen.enter(i)
	}
	var tokens []Token
	for i := len(history); i < len(b); {
		n := 0
		from := seen.find(i)
		if from >= 0 && i-from <= window {
			for n < 258 && i+n < len(b) && b[from+n] == b[i+n] {
				n++
			}
		}
		if n < 4 {
			tokens = append(tokens, Token{Literal: b[i]})
			n = 1
		} else {
			tokens = append(tokens, Copy(n, i-from))
		}
		for ; n > 0; n-- {
			seen.enter(i)
			i++
		}
	}
	return tokens
}

// index says where four bytes last occurred. If two sequences share a slot, it forgets
// the older one.
type index struct {
	b     []byte
	slots []int32 // positions, from 1; 0: none
	shift int     // of a hash, to a slot
}

func newIndex(b []byte) *index {
	n := bits.Len(uint(len(b)))
	return &index{b: b, slots: make([]int32, 1<<n), shift: 32 - n}
}

// slot is the entry for the four bytes at i; nil if there are fewer.
func (x *index) slot(i int) *int32 {
	if i+4 > len(x.b) {
		return nil
	}
	return &x.slots[binary.LittleEndian.Uint32(x.b[i:])*2654435761>>x.shift]
}

func (x *index) enter(i int) {
	if s := x.slot(i); s != nil {
		*s = int32(i + 1)
	}
}

// find is a position where the four bytes at i may have occurred before, or -1.
func (x *index) find(i int) int {
	if s := x.slot(i); s != nil {
		return int(*s) - 1
	}
	return -1
}
