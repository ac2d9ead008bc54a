package frame

import (
	"encoding/binary"
	"math/bits"
)

// Mask XORs p in place with the masking key (RFC 6455 §5.3) and returns the
// key rotated by len(p), which is the key for the bytes that follow. So a payload
// that arrives in pieces is unmasked piece by piece, without keeping an offset.
// Masking twice with the same key restores p.
//
// The key's lowest byte is the first of the four on the wire, as in Header.Key.
func Mask(p []byte, key uint32) (next uint32) {
	n := len(p)
	next = rotate(key, n)
	if n >= vectorMin {
		maskVector(p, key)
		return next
	}
	// If the length is not a multiple of the step, the last step ends where p
	// ends and overlaps the one before it. Both are computed from the original
	// bytes and only then stored, so the overlap gets the same value twice.
	if n >= 8 {
		k, last := wide(key), wide(next)
		end := p[n-8:]
		last ^= binary.LittleEndian.Uint64(end)
		for len(p) > 8 {
			binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
			p = p[8:]
		}
		binary.LittleEndian.PutUint64(end, last)
		return next
	}
	if n >= 4 {
		end := p[n-4:]
		first, last := binary.LittleEndian.Uint32(p)^key, binary.LittleEndian.Uint32(end)^next
		binary.LittleEndian.PutUint32(p, first)
		binary.LittleEndian.PutUint32(end, last)
		return next
	}
	for i := range p {
		p[i] ^= byte(key)
		key >>= 8
	}
	return next
}

// rotate returns the key for the bytes n further on.
func rotate(key uint32, n int) uint32 { return bits.RotateLeft32(key, -8*(n&3)) }

// wide returns the key for eight bytes.
func wide(key uint32) uint64 { return uint64(key)<<32 | uint64(key) }

// maskPortable is maskVector without vectors.
func maskPortable(p []byte, key uint32) {
	k := wide(key)
	last := binary.LittleEndian.Uint64(p[len(p)-8:]) ^ wide(rotate(key, len(p)))
	end := p[len(p)-8:]
	for len(p) > 40 {
		q := (*[32]byte)(p)
		binary.LittleEndian.PutUint64(q[0:], binary.LittleEndian.Uint64(q[0:])^k)
		binary.LittleEndian.PutUint64(q[8:], binary.LittleEndian.Uint64(q[8:])^k)
		binary.LittleEndian.PutUint64(q[16:], binary.LittleEndian.Uint64(q[16:])^k)
		binary.LittleEndian.PutUint64(q[24:], binary.LittleEndian.Uint64(q[24:])^k)
		p = p[32:]
	}
	for len(p) > 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k)
		p = p[8:]
	}
	binary.LittleEndian.PutUint64(end, last)
}
