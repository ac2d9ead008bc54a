package wsproto

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// inflater is a pooled decompressor and its input. It is the standard library's. The
// one of github.com/klauspost/compress is faster, but decodes a block that has no
// distance codes with the codes of the previous block, which may have been another
// connection's (fuzz, "distance-code-of-the-message-before").
type inflater struct {
	src    source
	z      io.ReadCloser // and a flate.Resetter
	excess [1]byte       // takes the byte that shows that a limit is exceeded
}

var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.z = flate.NewReader(&f.src)
	return f
}}

// trailer follows deflateTail in an inflater's input: an empty final block, after which
// the inflater reports io.EOF.
const trailer = "\x01\x00\x00\xff\xff"

// source is a message followed by deflateTail and trailer. It yields the trailer only if
// the decoder reads it exactly as a stored block: the header by itself, then the length
// in one piece. A decoder that is still inside a block sees EOF instead, so a truncated
// message cannot be completed by the trailer.
//
// Such a decoder may still misread the trailer's header byte as Huffman data; misread
// detects that.
type source struct {
	bytes.Reader
	noTrailer bool // report EOF instead of the trailer
}

func (s *source) ReadByte() (byte, error) {
	if left := s.Len(); left < len(trailer) || s.noTrailer && left == len(trailer) {
		return 0, io.EOF
	}
	return s.Reader.ReadByte()
}

// misread reports whether the trailer's header byte was read, but not its length, which
// an inflater at the beginning of a block would have read at once.
func (s *source) misread() bool { return s.Len() == len(trailer)-1 }

func (s *source) Read(p []byte) (int, error) {
	const length = len(trailer) - 1
	switch left := s.Len(); {
	case left == length && len(p) == length:
		return s.Reader.Read(p)
	case left <= len(trailer):
		return 0, io.EOF
	default:
		return s.Reader.Read(p[:min(len(p), left-len(trailer))])
	}
}

// inflate decompresses the message in w.msg, to at most limit bytes (RFC 7692 §7.2.2).
func (c *Conn) inflate(limit int) *PeerError {
	w, d := c.w, &c.z.in
	// 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the
	// payload of the message."
	w.msg = w.msg.append([]byte(deflateTail + trailer))
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	defer f.src.Reset(nil)
	f.src.Reset(w.msg.bytes())

	plain, err := f.read(d.window.b, limit)
	if err != nil {
		plain.release()
		return err
	}
	w.releaseMessage()
	w.msg = plain
	if d.takeover {
		d.window.add(plain.bytes(), 1<<d.bits)
	}
	return nil
}

// read decompresses f.src into a new buffer. history is the plaintext that the first
// block may refer back to.
func (f *inflater) read(history []byte, limit int) (plain *buffer, err *PeerError) {
	for {
		start, before := f.src.Size()-int64(f.src.Len()), len(plain.bytes())
		f.reset(history)
		for {
			if have := len(plain.bytes()); have == cap(plain.bytes()) && have < limit {
				plain = plain.grow(limit)
			}
			room := f.excess[:] // at the limit: a byte more exceeds it
			if len(plain.bytes()) < limit {
				room = plain.b[len(plain.b):cap(plain.b)]
			}
			n, e := f.z.Read(room)
			if n > 0 && len(plain.bytes())+n > limit {
				if f.src.misread() && !f.exceeds(limit-before, start, history) {
					return plain, errCorrupt
				}
				return plain, &PeerError{CloseMessageTooBig, "message over the size limit when inflated"}
			}
			if n > 0 {
				plain.b = plain.b[:len(plain.b)+n]
			}
			if e == io.EOF {
				break
			}
			if e != nil {
				return plain, errCorrupt
			}
		}
		// 7.2.3.4 lets a sender end with a block that has BFINAL set. What follows it
		// (at least deflateTail) begins a new block at the next byte.
		if f.src.Len() == 0 {
			return plain, nil
		}
		history = joined(history, plain.bytes()[before:])
	}
}

// exceeds reports whether f.src, from start on and without the trailer, decompresses to
// more than limit bytes.
func (f *inflater) exceeds(limit int, start int64, history []byte) bool {
	f.src.noTrailer = true
	defer func() { f.src.noTrailer = false }()
	f.src.Seek(start, io.SeekStart)
	f.reset(history)
	n, _ := io.CopyN(io.Discard, f.z, int64(limit)+1)
	return n > int64(limit)
}

func (f *inflater) reset(history []byte) {
	if f.z.(flate.Resetter).Reset(&f.src, history) != nil {
		panic("wsproto: internal error: inflater cannot be reset")
	}
}

var errCorrupt = &PeerError{CloseInvalidPayload, "compressed data is corrupt"}

// joined returns the last 32 KiB of a followed by b.
func joined(a, b []byte) []byte {
	const size = 1 << maxWindowBits
	if len(b) >= size {
		return b[len(b)-size:]
	}
	if keep := size - len(b); len(a) > keep {
		a = a[len(a)-keep:]
	}
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}
