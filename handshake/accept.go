package handshake

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
)

// nonceSize is the length in bytes of a decoded Sec-WebSocket-Key. keyDigits is the
// length of the encoded key without its padding.
const (
	nonceSize = 16
	keyDigits = 22
)

// acceptGUID is the constant that RFC 6455 §1.3 appends to the key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455
// §4.2.2). It does not check the key.
func AcceptKey(key string) string {
	return string(appendAcceptKey(nil, key))
}

// appendAcceptKey appends it.
func appendAcceptKey(dst []byte, key string) []byte {
	var buf [keyDigits + len("==") + len(acceptGUID)]byte // longer keys are not valid
	sum := sha1.Sum(append(append(buf[:0], key...), acceptGUID...))
	return base64.StdEncoding.AppendEncode(dst, sum[:])
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

// validKey reports whether key matches the grammar of RFC 6455 §4.3 for 16 bytes:
//
//	base64-value-non-empty = (1*base64-data [ base64-padding ]) | base64-padding
//	base64-data            = 4base64-character
//	base64-padding         = (2base64-character "==") | (3base64-character "=")
//
// The last character's four unused bits may be set, as they are in the example of
// §4.1, AQIDBAUGBwgJCgsMDQ4PEC==. That cannot confuse two keys, because the answer is a
// hash of the key's characters and not of the bytes that they encode.
func validKey(key string) bool {
	if len(key) != keyDigits+len("==") || key[keyDigits:] != "==" {
		return false
	}
	for i := range keyDigits {
		if c := key[i]; !isAlphanumeric(c) && c != '+' && c != '/' {
			return false
		}
	}
	return true
}
