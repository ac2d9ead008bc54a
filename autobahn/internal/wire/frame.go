package wire

import "encoding/binary"

// Opcodes of RFC 6455 §5.2.
const (
	Continuation byte = 0x0
	Text         byte = 0x1
	Binary       byte = 0x2
	Close        byte = 0x8
	Ping         byte = 0x9
	Pong         byte = 0xA
)

// Reserved bits as they stand in Frame.RSV and Header.RSV.
const (
	RSV1 byte = 4
	RSV2 byte = 2
	RSV3 byte = 1
)

// LengthForm says how a frame's header writes the payload length.
type LengthForm byte

// The forms of RFC 6455 §5.2.
const (
	Minimal  LengthForm = iota // as the RFC requires
	Length16                   // 126 and two bytes
	Length64                   // 127 and eight bytes
)

// Masking says whether a frame is masked.
type Masking byte

// Masked or not; ByRole is what the RFC requires of the sender's role.
const (
	ByRole Masking = iota
	Never
	Always
)

// Frame is one frame to be sent. Nothing about it need be legal.
type Frame struct {
	Fin     bool
	RSV     byte
	Opcode  byte
	Payload []byte

	Form    LengthForm
	Claim   uint64 // the length in the header, where Claims is true
	Claims  bool
	Masking Masking
	Key     [4]byte // the masking key, where HasKey is true
	HasKey  bool
}

// Append appends the frame's bytes to dst. A client's frames are masked with
// key (RFC 6455 §5.3) unless the frame says otherwise.
func (f *Frame) Append(dst []byte, client bool, key [4]byte) []byte {
	b0 := f.RSV<<4 | f.Opcode
	if f.Fin {
		b0 |= 0x80
	}
	length := uint64(len(f.Payload))
	if f.Claims {
		length = f.Claim
	}
	masked := f.Masking == Always || f.Masking == ByRole && client
	var b1 byte
	if masked {
		b1 = 0x80
	}
	switch {
	case f.Form == Length64 || f.Form == Minimal && length > 0xFFFF:
		dst = append(dst, b0, b1|127)
		dst = binary.BigEndian.AppendUint64(dst, length)
	case f.Form == Length16 || f.Form == Minimal && length > 125:
		dst = append(dst, b0, b1|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(length))
	default:
		dst = append(dst, b0, b1|byte(length))
	}
	if !masked {
		return append(dst, f.Payload...)
	}
	if f.HasKey {
		key = f.Key
	}
	dst = append(dst, key[:]...)
	start := len(dst)
	dst = append(dst, f.Payload...)
	Mask(dst[start:], key, 0)
	return dst
}

// Mask applies key to p, whose first byte is at offset in the frame's payload
// (RFC 6455 §5.3).
func Mask(p []byte, key [4]byte, offset int) {
	if key == [4]byte{} {
		return
	}
	for ; len(p) > 0 && offset&3 != 0; offset++ {
		p[0] ^= key[offset&3]
		p = p[1:]
	}
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(p) >= 32 {
		q := p[:32]
		binary.LittleEndian.PutUint64(q, binary.LittleEndian.Uint64(q)^k)
		binary.LittleEndian.PutUint64(q[8:], binary.LittleEndian.Uint64(q[8:])^k)
		binary.LittleEndian.PutUint64(q[16:], binary.LittleEndian.Uint64(q[16:])^k)
		binary.LittleEndian.PutUint64(q[24:], binary.LittleEndian.Uint64(q[24:])^k)
		p = p[32:]
	}
	for i := range p {
		p[i] ^= key[i&3]
	}
}

// ClosePayload is a Close frame's payload (RFC 6455 §5.5.1). A negative code
// leaves it out.
func ClosePayload(code int, reason []byte) []byte {
	var p []byte
	if code >= 0 {
		p = binary.BigEndian.AppendUint16(p, uint16(code))
	}
	return append(p, reason...)
}
