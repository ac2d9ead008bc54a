package wsproto

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// inflater is a pooled decompressor and its input. It is the standard library's:
// the faster one of github.com/klauspost/compress decodes a block without
// distance codes with those of the block before, which may have been another
// connection's (fuzz, "distance-code-of-the-message-before").
type inflater struct {
	src    bytes.Reader
	z      io.ReadCloser      // and a flate.Resetter
	beyond [sealSize + 1]byte // takes what passes the limit: the seal may, and a byte more shows that the message does
}

var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.z = flate.NewReader(&f.src)
	return f
}}

// seal follows the tail in what an inflater reads: a final block, at which it
// reports io.EOF, that says sealText. The text shows that the block was read as
// one: a message that ends inside a block of its own swallows the seal as data,
// and as data it says something else.
const (
	sealText = "end."
	sealSize = len(sealText)
)

var seal = makeSeal()

// makeSeal encodes sealText as a block with fixed Huffman codes (RFC 1951
// §3.2.6).
func makeSeal() []byte {
	bits := "110" // BFINAL, and BTYPE 01 with its lowest bit first
	for _, c := range []byte(sealText) {
		bits += fmt.Sprintf("%08b", 0x30+c) // literals below 144
	}
	bits += "0000000" // end of block
	b := make([]byte, (len(bits)+7)/8)
	for i, bit := range bits {
		b[i/8] |= byte(bit-'0') << (i % 8)
	}
	return b
}

// inflate turns the message in w.msg, as it came over the wire, into what it
// says: at most limit bytes (RFC 7692 §7.2.2).
func (c *Conn) inflate(limit int) *PeerError {
	w, d := c.w, &c.z.in
	// 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the
	// payload of the message."
	w.msg = w.msg.append([]byte(deflateTail)).append(seal)
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
		if f.z.(flate.Resetter).Reset(&f.src, history) != nil {
			panic("wsproto: internal error: inflater cannot be reset")
		}
		var beyond int
		if plain, beyond, err = f.block(plain, limit); err != nil {
			return plain, err
		}
		switch left := f.src.Len(); {
		case left == 0:
			return f.unseal(plain, beyond)
		case left < len(seal), left > len(seal) && left < len(seal)+len(deflateTail):
			return plain, errCorrupt // a final block ends inside the seal, or the tail
		case beyond > 0:
			return plain, errInflated
		case left == len(seal):
			return plain, nil // a final block has the tail for its own
		}
		// 7.2.3.4 lets a sender end with a block that has BFINAL set. What comes
		// behind it, the tail at least, begins a block at the next byte.
		history = joined(history, plain.bytes())
	}
}

var (
	errCorrupt  = &PeerError{CloseInvalidPayload, "compressed data is corrupt"}
	errInflated = &PeerError{CloseMessageTooBig, "message over the size limit when inflated"}
)

// block decompresses up to the end of a final block. Of what passes the limit
// it puts the first bytes, as many as beyond says, into f.beyond.
func (f *inflater) block(plain *buffer, limit int) (_ *buffer, beyond int, err *PeerError) {
	for {
		if have := len(plain.bytes()); have == cap(plain.bytes()) && have < limit {
			plain = plain.grow(limit)
		}
		have := len(plain.bytes())
		room := f.beyond[beyond:]
		if have < limit {
			room = plain.b[have:cap(plain.b)]
			room = room[:min(len(room), limit-have)]
		}
		n, e := f.z.Read(room)
		if have < limit {
			plain.b = plain.b[:have+n]
		} else if beyond += n; beyond > sealSize {
			return plain, beyond, errInflated
		}
		if e == io.EOF {
			return plain, beyond, nil
		}
		if e != nil {
			return plain, beyond, errCorrupt
		}
	}
}

// unseal takes the seal off the end of what was decompressed.
func (f *inflater) unseal(plain *buffer, beyond int) (*buffer, *PeerError) {
	b := plain.bytes()
	text := append([]byte(nil), b[max(len(b)-sealSize, 0):]...)
	text = append(text, f.beyond[:beyond]...)
	if !bytes.HasSuffix(text, []byte(sealText)) {
		return plain, errCorrupt
	}
	if plain != nil {
		plain.b = b[:len(b)+beyond-sealSize]
	}
	return plain, nil
}

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
