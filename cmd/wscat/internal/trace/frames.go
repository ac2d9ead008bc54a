package trace

import (
	"github.com/hawser-ws/hawser/frame"
)

// Frames follows the frames in one direction of a connection. It holds the incomplete
// frame, if there is one. It is not safe for concurrent use.
type Frames struct {
	// Immutable.
	mark string // what a header's line begins with
	keep uint64 // bytes kept of one payload

	head    [frame.MaxHeaderSize]byte // the header, until that is whole
	headLen int
	inFrame bool         // the header is read, the payload is not
	h       frame.Header // as it was on the wire
	got     uint64       // bytes of the payload that have arrived
	payload []byte       // those of them that are kept, still masked
	lost    bool         // something was not a frame, so where the next one begins is unknown
}

// NewFrames returns a Frames for one direction. Its lines begin with mark. Of a payload
// longer than keep bytes, the rest is counted but not shown.
func NewFrames(mark string, keep int) *Frames {
	return &Frames{mark: mark, keep: uint64(keep)}
}

// Append appends to dst the text of every frame that p completes, and returns the
// extended slice. p is the next part of the stream; it may be cut anywhere, and is
// neither modified nor kept.
func (f *Frames) Append(dst, p []byte) []byte {
	for len(p) > 0 && !f.lost {
		if !f.inFrame {
			dst, p = f.header(dst, p)
		}
		if f.inFrame {
			dst, p = f.body(dst, p)
		}
	}
	return dst
}

// End appends the text of a frame that was not complete when the stream ended.
func (f *Frames) End(dst []byte) []byte {
	switch {
	case f.inFrame:
		return f.appendFrame(dst)
	case f.headLen > 0:
		return f.appendRaw(dst, "ends inside a header", f.head[:f.headLen])
	}
	return dst
}

// header takes from p what belongs to a header.
func (f *Frames) header(dst, p []byte) (text, rest []byte) {
	b := f.head[:f.headLen+copy(f.head[f.headLen:], p)]
	h, n, err := frame.ParseHeader(b)
	if err != nil {
		const prefix = len("frame: ")
		f.lost = true
		f.headLen = 0
		return f.appendRaw(dst, "not a frame: "+err.Error()[prefix:], b), nil
	}
	if n == 0 {
		f.headLen = len(b)
		return dst, nil
	}
	p = p[n-f.headLen:]
	f.h, f.headLen, f.got, f.inFrame = h, 0, 0, true
	f.payload = f.payload[:0]
	return dst, p
}

// body takes from p what belongs to the frame's payload.
func (f *Frames) body(dst, p []byte) (text, rest []byte) {
	n := min(uint64(len(p)), f.h.Length-f.got)
	kept := min(n, f.keep-uint64(len(f.payload)))
	f.payload = append(f.payload, p[:kept]...)
	f.got += n
	if f.got == f.h.Length {
		dst = f.appendFrame(dst)
		f.inFrame = false
	}
	return dst, p[n:]
}
