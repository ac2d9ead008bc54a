package wsconn

import (
	"crypto/rand"
	"encoding/binary"
)

// MaskKey returns an unpredictable masking key. It is the wsproto.Config.MaskKey of this
// package's connections, for other programs that drive package wsproto themselves.
func MaskKey() uint32 {
	// 5.3: "The masking key needs to be unpredictable; thus, the masking key
	// MUST be derived from a strong source of entropy".
	var key [4]byte
	rand.Read(key[:]) // never fails
	return binary.LittleEndian.Uint32(key[:])
}
