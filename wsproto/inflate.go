package wsproto

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"
)

// inflater is a pooled decompressor and its input. It is the standard library's:
// the faster one of github.com/klauspost/compress decodes a block without
// distance codes with those of the block before, which may have been another
// connection's (fuzz, "distance-code-of-the-message-before").
type inflater struct {
	src    source
	z      io.ReadCloser // and a flate.Resetter
	beyond [1]byte       // takes the byte that shows a limit to be passed
}

var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.z = flate.NewReader(&f.src)
	return f
}}

// endOfStream follows the tail in what an inflater reads: an empty final block,
// at which it reports io.EOF.
const endOfStream = "\x01\x00\x00\xff\xff"

// source is a message with tail and endOfStream. It gives endOfStream only to
// who reads it as a block: the header by itself, then the length in one piece.
// For whoever is in the middle of a block it is the end of the input, so that
// a message cut short is not mended by what was put behind it.
//
// Such a one may still take the header for codes, and find symbols in it; how that
// is told is in strayed.
type source struct {
	bytes.Reader
	bare bool // there is no endOfStream
}

func (s *source) ReadByte() (byte, error) {
	if left := s.Len(); left < len(endOfStream) || s.bare && left == len(endOfStream) {
		return 0, io.EOF
	}
	return s.Reader.ReadByte()
}

// strayed reports whether endOfStream's header was read and its length was not,
// as an inflater at the beginning of a block would have done at once.
func (s *source) strayed() bool { return s.Len() == len(endOfStream)-1 }

func (s *source) Read(p []byte) (int, error) {
	const length = len(endOfStream) - 1
	switch left := s.Len(); {
	case left == length && len(p) == length:
		return s.Reader.Read(p)
	case left <= len(endOfStream):
		return 0, io.EOF
	default:
		return s.Reader.Read(p[:min(len(p), left-len(endOfStream))])
	}
}

// inflate turns the message in w.msg, as it came over the wire, into what it
// says: at most limit bytes (RFC 7692 §7.2.2).
func (c *Conn) inflate(limit int) *PeerError {
	w, d := c.w, &c.z.in
	// 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the
	// payload of the message."
	w.msg = w.msg.append([]byte(deflateTail + endOfStream))
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	defer f.src.Reset(nil)
	f.src.Reset(w.msg.bytes())

	plain, err := f.read(d.window.b, limit)
	if err != nil {
		plain.release()
		return err
	}
	w.drop()
	w.msg = plain
	if d.takeover {
		d.window.add(plain.bytes(), 1<<d.bits)
	}
	return nil
}

// read decompresses f.src into a new buffer. history is what the first block
// may refer back to.
func (f *inflater) read(history []byte, limit int) (plain *buffer, err *PeerError) {
	for {
		start, before := f.src.Size()-int64(f.src.Len()), len(plain.bytes())
		f.reset(history)
		for {
			if have := len(plain.bytes()); have == cap(plain.bytes()) && have < limit {
				plain = plain.grow(limit)
			}
			room := f.beyond[:]
			if len(plain.bytes()) < limit {
				room = plain.b[len(plain.b):cap(plain.b)]
			}
			n, e := f.z.Read(room)
			if n > 0 && len(plain.bytes())+n > limit {
				if f.src.strayed() && !f.exceeds(limit-before, start, history) {
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
		// 7.2.3.4 lets a sender end with a block that has BFINAL set. What comes
		// behind it, the tail at least, begins a block at the next byte.
		if f.src.Len() == 0 {
			return plain, nil
		}
		history = joined(history, plain.bytes()[before:])
	}
}

// exceeds reports whether what stands in f.src from start on says more than limit
// bytes before it is cut short.
func (f *inflater) exceeds(limit int, start int64, history []byte) bool {
	f.src.bare = true
	defer func() { f.src.bare = false }()
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

// joined returns the last 32 KiB of a and b, one behind the other.
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
