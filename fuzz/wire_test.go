package fuzz

import (
	"fmt"
	"testing"
)

// wireFrame is a frame as it stood on the wire, its payload unmasked.
type wireFrame struct {
	fin, rsv1, rsv2, rsv3 bool
	opcode                byte
	masked                bool
	payload               []byte
}

func (f wireFrame) control() bool { return f.opcode >= 8 }

// readFrame reads the frame at the front of b by the drawing of RFC 6455 §5.2,
// and says how many bytes it takes: 0 if b ends before it does. It shares no
// code with package frame, and refuses what no frame may be.
func readFrame(b []byte) (f wireFrame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	f.fin, f.rsv1, f.rsv2, f.rsv3 = b[0]>>7 == 1, b[0]>>6&1 == 1, b[0]>>5&1 == 1, b[0]>>4&1 == 1
	f.opcode, f.masked = b[0]%16, b[1] >= 128
	extended := map[byte]int{126: 2, 127: 8}[b[1]%128]
	switch f.opcode {
	case 0, 1, 2:
	case 8, 9, 10:
		if !f.fin || extended > 0 {
			return f, 0, fmt.Errorf("control frame %x: in fragments, or over 125 bytes", b[:2])
		}
	default:
		return f, 0, fmt.Errorf("opcode %d is reserved", f.opcode)
	}
	if extended == 8 && len(b) > 2 && b[2] >= 128 {
		return f, 0, fmt.Errorf("length %x… has its highest bit set", b[2])
	}
	n = 2 + extended
	if len(b) < n {
		return f, 0, nil
	}
	length := uint64(b[1] % 128)
	if extended > 0 {
		length = 0
		for _, c := range b[2:n] {
			length = length*256 + uint64(c)
		}
		if length < 126 || extended == 8 && length < 65536 {
			return f, 0, fmt.Errorf("length %d in %d bytes", length, extended)
		}
	}
	var key [4]byte
	if f.masked {
		if len(b) < n+4 {
			return f, 0, nil
		}
		n += copy(key[:], b[n:])
	}
	if length > uint64(len(b)-n) {
		return f, 0, nil
	}
	f.payload = xored(b[n:n+int(length)], key, 0)
	return f, n + int(length), nil
}

// xored is p masked with key, of which the first byte to use is at offset.
func xored(p []byte, key [4]byte, offset int) []byte {
	out := make([]byte, len(p))
	for i := range p {
		out[i] = p[i] ^ key[(offset+i)%4]
	}
	return out
}

// readFrames reads what one of our own ends has sent, which must be whole and
// legal frames, all of them masked or none.
func readFrames(t *testing.T, b []byte, masked bool) (frames []wireFrame) {
	t.Helper()
	for len(b) > 0 {
		f, n, err := readFrame(b)
		if err != nil || n == 0 || f.masked != masked || f.rsv2 || f.rsv3 {
			t.Fatalf("sent %x, which is no frame: %v, %d bytes, masked %t, want %t", b, err, n, f.masked, masked)
		}
		frames = append(frames, f)
		b = b[n:]
	}
	return frames
}

// appendWire appends a frame whose first byte is given.
func appendWire(dst []byte, first byte, payload []byte, masked bool) []byte {
	var mask byte
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	if masked {
		mask = 128
	}
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, first, mask+byte(n))
	case n < 65536:
		dst = append(dst, first, mask+126, byte(n>>8), byte(n))
	default:
		dst = append(dst, first, mask+127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if !masked {
		return append(dst, payload...)
	}
	dst = append(dst, key[:]...)
	return append(dst, xored(payload, key, 0)...)
}

// pieces cuts p: each piece has the length that the next of cuts names, 0
// standing for an empty one. When cuts are used up they begin again, so that they
// cannot be zeros only; no cuts leave p whole.
func pieces(p, cuts []byte) (out [][]byte) {
	progress := false
	for _, c := range cuts {
		progress = progress || c > 0
	}
	if !progress {
		return [][]byte{p}
	}
	for i := 0; len(p) > 0; i++ {
		n := min(int(cuts[i%len(cuts)]), len(p))
		out = append(out, p[:n:n])
		p = p[n:]
	}
	return out
}
