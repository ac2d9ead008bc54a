package handshake

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
)

// nonceSize is the length in bytes of a decoded Sec-WebSocket-Key.
const nonceSize = 16

// acceptGUID is the constant that RFC 6455 §1.3 appends to the key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey is the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key
// (RFC 6455 §4.2.2). It takes the key as it stands in the header and does not
// judge it.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// newKey draws the nonce of one handshake from random.
func newKey(random io.Reader) (string, error) {
	// 4.1: "The nonce MUST be selected randomly for each connection."
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(nonce[:]), nil
}

// validKey reports whether key is the one encoding that base64 has for 16
// bytes. Strict refuses set padding bits, with which two keys could mean the
// same nonce.
func validKey(key string) bool {
	var nonce [nonceSize + 2]byte // what 24 characters decode to at most
	if len(key) != base64.StdEncoding.EncodedLen(nonceSize) {
		return false
	}
	n, err := base64.StdEncoding.Strict().Decode(nonce[:], []byte(key))
	return err == nil && n == nonceSize
}
