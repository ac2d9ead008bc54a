package frame

import (
	"encoding/binary"
	"math/bits"
)

// Mask XORs p in place with the masking key (RFC 6455 §5.3) and returns the
// key rotated by len(p), which is the key for the bytes that follow: a payload
// that arrives in pieces is unmasked piece by piece, with no offset to carry.
// Masking twice with the same key restores p.
//
// The key's lowest byte is the first of the four on the wire, as in Header.Key.
func Mask(p []byte, key uint32) (next uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(p) >= 32 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^wide)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^wide)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^wide)
		p = p[32:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}
