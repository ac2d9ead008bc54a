package redis

import "encoding/binary"

// What the scripts read and write is packed, as Lua's struct library does that: numbers of so many
// bytes, the lowest first, and strings, whose length comes first if they are not the last.

func appendUint(dst []byte, n uint64, size int) []byte {
	return append(dst, binary.LittleEndian.AppendUint64(make([]byte, 0, 8), n)[:size]...)
}

// appendInt appends a number that may be negative.
func appendInt(dst []byte, n int64, size int) []byte { return appendUint(dst, uint64(n), size) }

// packed is what is left to read of something packed.
type packed struct {
	rest  string
	short bool // it ended too early
}

func (p *packed) text(size int) (s string) {
	if size < 0 || size > len(p.rest) {
		p.rest, p.short = "", true
		return ""
	}
	s, p.rest = p.rest[:size], p.rest[size:]
	return s
}

func (p *packed) uint(size int) (n uint64) {
	for i, b := range []byte(p.text(size)) {
		n |= uint64(b) << (8 * i)
	}
	return n
}

// int reads a number that may be negative.
func (p *packed) int(size int) int64 {
	shift := 64 - 8*size
	return int64(p.uint(size)<<shift) >> shift
}
