package frame

import (
	"encoding/binary"
	"errors"
)

const (
	// MaxHeaderSize is the length in bytes of the longest header: two fixed
	// bytes, eight of extended length, four of masking key.
	MaxHeaderSize = 14

	// MaxControlPayload is the longest payload in bytes that a control frame
	// may carry (RFC 6455 §5.5).
	MaxControlPayload = 125
)

// The errors of a header by itself. Each of them fails the connection with close
// code 1002.
var (
	ErrReservedOpcode    = errors.New("frame: reserved opcode")
	ErrControlFragmented = errors.New("frame: fragmented control frame")
	ErrControlTooLong    = errors.New("frame: control frame payload over 125 bytes")
	ErrLengthNotMinimal  = errors.New("frame: payload length not in its shortest form")
	ErrLengthOverflow    = errors.New("frame: payload length has its highest bit set")
)

// Header is a frame's header (RFC 6455 §5.2):
//
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|F|R|R|R| opcode|M| Payload len |    Extended payload length    |
//	|I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
//	|N|V|V|V|       |S|             |   (if payload len==126/127)   |
//	| |1|2|3|       |K|             |                               |
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	| Masking-key, 0 or 4 bytes     |          Payload Data         |
//	+-------------------------------+-------------------------------+
type Header struct {
	Length uint64 // of the payload, in bytes
	Key    uint32 // as Mask takes it: the wire's four bytes, first byte lowest; only if Masked
	Opcode Opcode
	Fin    bool
	RSV1   bool
	RSV2   bool
	RSV3   bool
	Masked bool
}

// ParseHeader reads the header at the start of b and returns how many bytes it
// takes. n == 0 with a nil error means that b ends inside the header; once b
// holds two bytes, Opcode, Fin, RSV1–3 and Masked are set even then, so that a
// frame can be refused before the rest of it arrives.
//
// The error is one of this package's Err values, reported at the first byte that
// makes the header illegal on any connection. Reserved bits and the presence of a
// masking key depend on the connection and are not checked.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	b0, b1 := b[0], b[1]
	h.Fin = b0&0x80 != 0
	h.RSV1 = b0&0x40 != 0
	h.RSV2 = b0&0x20 != 0
	h.RSV3 = b0&0x10 != 0
	h.Opcode = Opcode(b0 & 0x0F)
	h.Masked = b1&0x80 != 0
	length := b1 & 0x7F

	if h.Opcode.IsReserved() {
		return h, 0, ErrReservedOpcode
	}
	if h.Opcode.IsControl() {
		// 5.5: "All control frames MUST have a payload length of 125 bytes or
		// less and MUST NOT be fragmented."
		if !h.Fin {
			return h, 0, ErrControlFragmented
		}
		if length > MaxControlPayload {
			return h, 0, ErrControlTooLong
		}
	}

	n = 2
	switch length {
	case 126:
		if len(b) < 4 {
			return h, 0, nil
		}
		h.Length = uint64(binary.BigEndian.Uint16(b[2:]))
		// 5.2: "in all cases, the minimal number of bytes MUST be used to
		// encode the length".
		if h.Length < 126 {
			return h, 0, ErrLengthNotMinimal
		}
		n = 4
	case 127:
		// 5.2: "the most significant bit MUST be 0".
		if len(b) > 2 && b[2]&0x80 != 0 {
			return h, 0, ErrLengthOverflow
		}
		if len(b) < 10 {
			return h, 0, nil
		}
		h.Length = binary.BigEndian.Uint64(b[2:])
		if h.Length <= 0xFFFF {
			return h, 0, ErrLengthNotMinimal
		}
		n = 10
	default:
		h.Length = uint64(length)
	}
	if h.Masked {
		if len(b) < n+4 {
			return h, 0, nil
		}
		h.Key = binary.LittleEndian.Uint32(b[n:])
		n += 4
	}
	return h, n, nil
}

// Append appends h in its shortest form to dst and returns the extended slice. It
// does not check whether h is legal; Length must be below 1<<63.
func (h Header) Append(dst []byte) []byte {
	b0 := byte(h.Opcode & 0x0F)
	if h.Fin {
		b0 |= 0x80
	}
	if h.RSV1 {
		b0 |= 0x40
	}
	if h.RSV2 {
		b0 |= 0x20
	}
	if h.RSV3 {
		b0 |= 0x10
	}
	var mask byte
	if h.Masked {
		mask = 0x80
	}
	switch {
	case h.Length <= 125:
		dst = append(dst, b0, mask|byte(h.Length))
	case h.Length <= 0xFFFF:
		dst = append(dst, b0, mask|126, byte(h.Length>>8), byte(h.Length))
	default:
		dst = append(dst, b0, mask|127)
		dst = binary.BigEndian.AppendUint64(dst, h.Length)
	}
	if h.Masked {
		dst = binary.LittleEndian.AppendUint32(dst, h.Key)
	}
	return dst
}
