package wire

import (
	"encoding/binary"
	"fmt"
)

// Header is a received frame's header.
type Header struct {
	Fin    bool
	RSV    byte
	Opcode byte
	Masked bool
	Key    [4]byte
	Length uint64
}

// Receiver receives a Parser's results. Payloads are valid until the call
// returns.
type Receiver interface {
	// Violation reports something that the RFC forbids. Parsing goes on.
	Violation(what string)
	// BadText reports that a text message is not UTF-8. Parsing goes on.
	BadText(what string)
	// Frame reports a whole frame; p is its payload, unmasked.
	Frame(h Header, p []byte)
	// Control delivers a Close, Ping or Pong.
	Control(opcode byte, p []byte)
	// Message delivers a whole message, inflated.
	Message(binary bool, p []byte)
}

// Inflater turns a compressed message into the message (RFC 7692 §7.2.2). p is
// valid until the next call.
type Inflater interface {
	Inflate(compressed []byte) (p []byte, err error)
}

// Parser reads frames. It checks everything that RFC 6455 §5 and RFC 7692 §7
// say about them, in the order in which the bytes arrive.
type Parser struct {
	Receiver Receiver
	Client   bool     // the bytes come from a server
	Inflater Inflater // nil: permessage-deflate was not agreed on
	// MaxMessage bounds a message and a frame, in bytes. 0: 64 MiB.
	MaxMessage uint64

	buf     []byte // an unfinished header
	inFrame bool
	h       Header
	got     uint64 // of h.Length
	control []byte

	inMessage  bool
	compressed bool
	binary     bool
	badText    bool
	message    []byte
	fragment   int // where the current frame's payload starts in message
	utf8       Validator
	stopped    error
}

// Feed parses p, which it changes. An error means that the stream cannot be
// read any further.
func (d *Parser) Feed(p []byte) error {
	for d.stopped == nil {
		if !d.inFrame {
			rest, ok := d.header(p)
			p = rest
			if !ok {
				return d.stopped
			}
			if d.h.Length == 0 {
				d.endFrame()
			}
			continue
		}
		if len(p) == 0 {
			return nil
		}
		n := min(uint64(len(p)), d.h.Length-d.got)
		d.payload(p[:n])
		p = p[n:]
		if d.got == d.h.Length {
			d.endFrame()
		}
	}
	return d.stopped
}

// header reads a frame's header from p, after what was left of the last input.
// ok is false if more is needed.
func (d *Parser) header(p []byte) (rest []byte, ok bool) {
	for len(d.buf) < 2 {
		if len(p) == 0 {
			return p, false
		}
		d.buf = append(d.buf, p[0])
		p = p[1:]
		if len(d.buf) == 2 {
			d.start()
		}
	}
	need := 2
	switch d.buf[1] & 0x7F {
	case 126:
		need += 2
	case 127:
		need += 8
	}
	if d.h.Masked {
		need += 4
	}
	n := min(len(p), need-len(d.buf))
	d.buf = append(d.buf, p[:n]...)
	if len(d.buf) < need {
		return p[n:], false
	}
	d.length()
	return p[n:], d.stopped == nil
}

// start checks a header's first two bytes.
func (d *Parser) start() {
	b0, b1 := d.buf[0], d.buf[1]
	d.h = Header{Fin: b0&0x80 != 0, RSV: b0 >> 4 & 7, Opcode: b0 & 0xF, Masked: b1&0x80 != 0}
	h, bad := d.h, d.Receiver.Violation
	if h.RSV != 0 && (d.Inflater == nil || h.RSV != RSV1) {
		bad(fmt.Sprintf("reserved bits %03b with no extension that defines them", h.RSV))
	}
	if d.Client && h.Masked {
		bad("a masked frame from the server")
	}
	if !d.Client && !h.Masked {
		bad("an unmasked frame from the client")
	}
	if h.Opcode > 7 {
		d.startControl(b1 & 0x7F)
		return
	}
	if h.Opcode > Binary {
		bad(fmt.Sprintf("a data frame with the reserved opcode %d", h.Opcode))
	}
	if !d.inMessage && h.Opcode == Continuation {
		bad("a continuation frame where there is nothing to continue")
	}
	if d.inMessage && h.Opcode != Continuation {
		bad(fmt.Sprintf("a frame with opcode %d inside a fragmented message", h.Opcode))
	}
	if d.Inflater != nil && h.RSV == RSV1 && d.inMessage {
		bad("a continuation frame with RSV1")
	}
}

func (d *Parser) startControl(length byte) {
	h, bad := d.h, d.Receiver.Violation
	if !h.Fin {
		bad("a fragmented control frame")
	}
	if length > 125 {
		bad("a control frame with more than 125 bytes of payload")
	}
	if h.Opcode > Pong {
		bad(fmt.Sprintf("a control frame with the reserved opcode %d", h.Opcode))
	}
	if h.Opcode == Close && length == 1 {
		bad("a Close frame with one byte of payload")
	}
	if d.Inflater != nil && h.RSV == RSV1 {
		bad("a control frame with RSV1")
	}
}

// length finishes the header: length and masking key.
func (d *Parser) length() {
	b := d.buf[2:]
	switch n := d.buf[1] & 0x7F; n {
	case 126:
		d.h.Length = uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
		if d.h.Length < 126 {
			d.Receiver.Violation("a payload length that is not written in its shortest form")
		}
	case 127:
		d.h.Length = binary.BigEndian.Uint64(b)
		b = b[8:]
		if d.h.Length>>63 != 0 {
			d.Receiver.Violation("a payload length with its highest bit set")
		}
		if d.h.Length <= 0xFFFF {
			d.Receiver.Violation("a payload length that is not written in its shortest form")
		}
	default:
		d.h.Length = uint64(n)
	}
	if d.h.Masked {
		copy(d.h.Key[:], b)
	}
	d.buf = d.buf[:0]
	limit := d.MaxMessage
	if limit == 0 {
		limit = 64 << 20
	}
	if d.h.Length > limit || uint64(len(d.message))+d.h.Length > limit {
		d.stopped = fmt.Errorf("the peer sends a message of more than %d bytes", limit)
		return
	}
	d.inFrame, d.got = true, 0
	d.startPayload()
}

func (d *Parser) startPayload() {
	if d.h.Opcode > 7 {
		d.control = d.control[:0]
		return
	}
	if !d.inMessage {
		d.inMessage = true
		d.compressed = d.Inflater != nil && d.h.RSV == RSV1
		d.binary = d.h.Opcode == Binary
		d.badText = false
		d.message = d.message[:0]
		d.utf8.Reset()
	}
	d.fragment = len(d.message)
}

func (d *Parser) payload(p []byte) {
	if d.h.Masked {
		Mask(p, d.h.Key, int(d.got&3))
	}
	d.got += uint64(len(p))
	if d.h.Opcode > 7 {
		d.control = append(d.control, p...)
		return
	}
	if !d.binary && !d.compressed && !d.badText && !d.utf8.Write(p) {
		d.badText = true
		d.Receiver.BadText("a text message that is not valid UTF-8")
	}
	d.message = append(d.message, p...)
}

func (d *Parser) endFrame() {
	d.inFrame = false
	h := d.h
	if h.Opcode > 7 {
		d.Receiver.Frame(h, d.control)
		if h.Opcode <= Pong {
			d.Receiver.Control(h.Opcode, d.control)
		}
		return
	}
	d.Receiver.Frame(h, d.message[d.fragment:])
	if !h.Fin {
		return
	}
	d.inMessage = false
	p := d.message
	if d.compressed {
		var err error
		if p, err = d.Inflater.Inflate(d.message); err != nil {
			d.stopped = err
			return
		}
		if !d.binary {
			d.badText = !d.utf8.Write(p)
			if d.badText {
				d.Receiver.BadText("a text message that is not valid UTF-8")
			}
		}
	}
	if !d.binary && !d.badText && !d.utf8.Complete() {
		d.Receiver.BadText("a text message that ends inside a code point")
	}
	d.Receiver.Message(d.binary, p)
	d.message = d.message[:0]
}
