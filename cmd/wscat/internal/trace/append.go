package trace

import (
	"encoding/hex"
	"fmt"

	"github.com/hawser-ws/hawser/frame"
)

// appendFrame appends the frame in hand, unmasked:
//
//	> text fin=1 rsv=000 len=5 mask=37fa213d
//	00000000  48 65 6c 6c 6f                                    |Hello|
func (f *Frames) appendFrame(dst []byte) []byte {
	h := f.h
	dst = fmt.Appendf(dst, "%s %v fin=%d rsv=%d%d%d len=%d", f.mark, h.Opcode,
		bit(h.Fin), bit(h.RSV1), bit(h.RSV2), bit(h.RSV3), h.Length)
	if h.Masked {
		// frame.Header keeps the wire's first byte lowest.
		k := h.Key
		dst = fmt.Appendf(dst, " mask=%02x%02x%02x%02x", byte(k), byte(k>>8), byte(k>>16), byte(k>>24))
		frame.Mask(f.payload, k)
	} else {
		dst = append(dst, " mask=none"...)
	}
	if f.got < h.Length {
		dst = fmt.Appendf(dst, ", incomplete: %d of %d bytes came", f.got, h.Length)
	}
	dst = append(dst, '\n')
	dst = append(dst, hex.Dump(f.payload)...)
	if more := f.got - uint64(len(f.payload)); more > 0 {
		dst = fmt.Appendf(dst, "%d more bytes are not shown\n", more)
	}
	return dst
}

// appendRaw appends bytes that are not, or not yet, a header.
func (f *Frames) appendRaw(dst []byte, what string, b []byte) []byte {
	dst = fmt.Appendf(dst, "%s %s\n", f.mark, what)
	return append(dst, hex.Dump(b)...)
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}
