package deflate

// Stream writes a DEFLATE stream (RFC 1951 §3.1). The zero value is empty.
type Stream struct {
	out   []byte
	acc   uint64
	nbits uint
}

// Bits writes the n lowest bits of v, lowest first.
func (s *Stream) Bits(v uint64, n uint) *Stream {
	s.acc |= v & (1<<n - 1) << s.nbits
	s.nbits += n
	for s.nbits >= 8 {
		s.out = append(s.out, byte(s.acc))
		s.acc >>= 8
		s.nbits -= 8
	}
	return s
}

// huffman writes a code of n bits, highest bit first (RFC 1951 §3.1.1).
func (s *Stream) huffman(code uint32, n uint) {
	var r uint64
	for i := uint(0); i < n; i++ {
		r = r<<1 | uint64(code>>i&1)
	}
	s.Bits(r, n)
}

// Align fills the current byte with zero bits.
func (s *Stream) Align() *Stream {
	if s.nbits > 0 {
		s.Bits(0, 8-s.nbits)
	}
	return s
}

// Bytes aligns, and returns what was written.
func (s *Stream) Bytes() []byte { return s.Align().out }

// Stored writes a stored block (RFC 1951 §3.2.4) of at most 65,535 bytes.
func (s *Stream) Stored(final bool, p []byte) *Stream {
	s.header(final, 0).Align()
	n := len(p)
	s.out = append(s.out, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
	s.out = append(s.out, p...)
	return s
}

func (s *Stream) header(final bool, kind uint64) *Stream {
	if final {
		return s.Bits(1|kind<<1, 3)
	}
	return s.Bits(kind<<1, 3)
}

// Fixed writes a block with the fixed codes (RFC 1951 §3.2.6).
func (s *Stream) Fixed(final bool, tokens ...Token) *Stream {
	s.header(final, 1)
	for _, t := range tokens {
		s.token(t)
	}
	s.symbol(256)
	return s
}

// FlushTail ends a message as RFC 7692 §7.2.1 says: with an empty stored block
// without its last four bytes.
func (s *Stream) FlushTail() []byte {
	s.header(false, 0).Align()
	return s.out
}

// Symbol writes a literal or length symbol with the fixed code, even one that
// is not defined.
func (s *Stream) Symbol(v uint32) *Stream {
	s.symbol(v)
	return s
}

// Distance writes a distance symbol with the fixed code, even one that is not
// defined.
func (s *Stream) Distance(v uint32) *Stream {
	s.huffman(v, 5)
	return s
}
