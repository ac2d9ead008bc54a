package deflate

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

// tail completes a stream whose last bytes were left out (RFC 7692 §7.2.2):
// those bytes, and an empty final block, so that the inflater knows it has
// ended.
var tail = []byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

// Inflater inflates the messages that one peer sends.
type Inflater struct {
	Bits       int  // the window that the peer promised, 8 to 15
	NoTakeover bool // the peer promised server_ or client_no_context_takeover
	Limit      int  // bytes in a message; 0: 64 MiB

	r       io.ReadCloser
	in      bytes.Reader
	buf     []byte
	out     []byte
	history []byte
}

// Inflate inflates one message. The result is valid until the next call. An
// error says which promise of RFC 7692 or rule of RFC 1951 was broken.
func (d *Inflater) Inflate(p []byte) ([]byte, error) {
	d.buf = append(append(d.buf[:0], p...), tail...)
	if d.Bits < 15 {
		if err := d.keepsWindow(d.buf[:len(p)+4]); err != nil {
			return nil, err
		}
	}
	d.in.Reset(d.buf)
	limit := d.Limit
	if limit == 0 {
		limit = 64 << 20
	}
	if d.out == nil {
		d.out = make([]byte, 0, 16<<10)
	}
	d.out = d.out[:0]
	// RFC 7692 §7.2.1: a block that ends the stream may be followed by others.
	for first := true; first || d.in.Len() > 0 && d.in.Len() != len(tail); first = false {
		window := d.history
		if !first {
			window = append(append([]byte{}, d.history...), d.out...)
		}
		if d.r == nil {
			d.r = flate.NewReaderDict(&d.in, window)
		} else if err := d.r.(flate.Resetter).Reset(&d.in, window); err != nil {
			return nil, err
		}
		if err := d.read(limit); err != nil {
			return nil, err
		}
	}
	if !d.NoTakeover {
		d.history = keep(d.history, d.out, 1<<15)
	}
	return d.out, nil
}

// keepsWindow checks that no copy in p comes from farther back than was
// promised.
func (d *Inflater) keepsWindow(p []byte) error {
	history := len(d.history)
	for {
		f, err := Scan(p, history)
		if err != nil {
			return fmt.Errorf("malformed compressed message: %w", err)
		}
		if f.Reach > 1<<d.Bits {
			return fmt.Errorf("a copy from %d bytes back, beyond the window of %d bits agreed on", f.Reach, d.Bits)
		}
		if !f.Final || f.Trailing <= 4 {
			return nil
		}
		p, history = p[len(p)-f.Trailing:], min(history+f.Length, 1<<15)
	}
}

func (d *Inflater) read(limit int) error {
	for {
		if len(d.out) == cap(d.out) {
			if len(d.out) > limit {
				return fmt.Errorf("a compressed message that inflates to more than %d bytes", limit)
			}
			d.out = append(d.out, 0)[:len(d.out)]
		}
		n, err := d.r.Read(d.out[len(d.out):cap(d.out)])
		d.out = d.out[:len(d.out)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("malformed compressed message: %w", err)
		}
	}
}

// Deflater deflates the messages that the tester sends.
type Deflater struct {
	Bits       int  // the window that the peer asked for, 8 to 15
	NoTakeover bool // the peer asked for no context takeover

	w       *flate.Writer
	out     bytes.Buffer
	history []byte
}

// Deflate deflates one message. The result is valid until the next call.
func (d *Deflater) Deflate(p []byte) []byte {
	if d.Bits < 15 {
		var s Stream
		s.Fixed(false, Tokens(d.history, p, 1<<d.Bits)...)
		if !d.NoTakeover {
			d.history = keep(d.history, p, 1<<d.Bits)
		}
		return s.FlushTail()
	}
	d.out.Reset()
	if d.w == nil {
		d.w, _ = flate.NewWriter(&d.out, 1) // the level is in range
	} else if d.NoTakeover {
		d.w.Reset(&d.out)
	}
	d.w.Write(p) // to memory
	d.w.Flush()
	b := d.out.Bytes()
	return b[:len(b)-4]
}

// keep is the last n bytes of history and p.
func keep(history, p []byte, n int) []byte {
	if len(p) >= n {
		return append(history[:0], p[len(p)-n:]...)
	}
	if over := len(history) + len(p) - n; over > 0 {
		history = append(history[:0], history[over:]...)
	}
	return append(history, p...)
}
