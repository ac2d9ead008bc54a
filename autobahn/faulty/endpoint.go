package faulty

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxMessage is the largest message that an endpoint accepts, inflated or not,
// in bytes.
const maxMessage = 64 << 20

// readBuffer is how much an endpoint may have read ahead, in bytes.
const readBuffer = 32 << 10

// endpoint is one side of one connection.
type endpoint struct {
	nc     net.Conn
	br     *bufio.Reader
	client bool
	defect string
	codec  *codec  // nil: permessage-deflate was not agreed on
	tunnel *tunnel // over HTTP/2; nil: over TCP

	messages       int // that have begun
	atOnce         int // frames since there was nothing to read
	inMessage      bool
	opcode         byte
	compressed     bool
	lastOpcode     byte // of the message before
	lastCompressed bool
	message        []byte
	parts          [][]byte
	text           validator
	key            [4]byte
	keys           int
	lastKey        uint32
	pings          [][]byte       // that are answered late
	writing        chan struct{}  // has room for the goroutine that writes
	inPart         func()         // called when the echo is written in part
	tasks          sync.WaitGroup // echoes that are under way
	lastTask       chan struct{}  // closed when the last of them is done
}

// has reports whether the endpoint has a defect.
func (e *endpoint) has(defect string) bool { return e.defect == defect }

// failure is a broken rule, with the close code for it.
type failure struct {
	code   uint16
	reason string
}

func (f *failure) Error() string { return f.reason }

var errDone = errors.New("the connection is closed")

type header struct {
	fin    bool
	rsv    byte
	opcode byte
	masked bool
	key    [4]byte
	length uint64
}

// serve echoes until the connection ends.
func (e *endpoint) serve() {
	defer e.tasks.Wait()
	switch {
	case e.has("sends a Pong unasked"):
		e.write(opPong, 0, []byte("unasked"))
	case e.has("greets"):
		e.write(opText, 0, []byte("Request served by \x1b[2J me"))
	case e.has("greets twice"):
		e.echo([]byte("hello"), opText, true)
		e.echo([]byte("there"), opBinary, true)
	case e.has("closes at once"):
		e.write(opClose, 0, append(binary.BigEndian.AppendUint16(nil, 1008), "no token"...))
		e.hangUp()
		return
	case e.has("sends by itself"):
		stop, done := make(chan struct{}), make(chan struct{})
		go func() { e.beat(stop); close(done) }()
		defer func() { close(stop); <-done }()
	case e.has("pings at once"):
		e.write(opPing, 0, []byte("there?"))
	}
	for {
		err := e.frame()
		var f *failure
		switch {
		case errors.As(err, &f):
			e.fail(f)
			return
		case err != nil:
			return
		}
	}
}

// beat sends a message now and then, as some servers do to keep proxies from
// closing the connection.
func (e *endpoint) beat(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(150 * time.Millisecond):
			e.write(opText, 0, []byte("tick"))
		}
	}
}

// fail fails the connection (RFC 6455 §7.1.7).
func (e *endpoint) fail(f *failure) {
	code := f.code
	if e.has("fails with 1011") {
		code = 1011
	}
	if e.has("never ends a failed connection") {
		e.write(opClose, 0, binary.BigEndian.AppendUint16(nil, code))
		io.Copy(io.Discard, e.br)
		return
	}
	e.write(opClose, 0, binary.BigEndian.AppendUint16(nil, code))
	e.behindClose()
	e.hangUp()
	if e.has("ends the connection with a failed stream") {
		e.tunnel.nc.Close()
	}
}

// hangUp ends our side of TCP, and reads what is left, so that the peer sees our
// Close and not a reset.
func (e *endpoint) hangUp() {
	if half, ok := e.nc.(interface{ CloseWrite() error }); ok && !e.client {
		half.CloseWrite()
	}
	e.nc.SetReadDeadline(time.Now().Add(time.Second / 2))
	io.Copy(io.Discard, e.br)
}

// frame reads one frame and acts on it.
func (e *endpoint) frame() error {
	if e.has("answers the last of several Pings") && len(e.pings) > 0 && !e.more() {
		e.answerLate()
	}
	if (e.has("loses messages after 500 at once") || e.has("loses Pings after 100 at once")) && !e.more() {
		e.atOnce = 0
	}
	h, err := e.header()
	if err != nil {
		return err
	}
	e.atOnce++
	if h.opcode >= 8 {
		return e.control(h)
	}
	return e.data(h)
}

// more reports whether there is more to read at once.
func (e *endpoint) more() bool {
	e.nc.SetReadDeadline(time.Now().Add(time.Millisecond))
	defer e.nc.SetReadDeadline(time.Time{})
	_, err := e.br.Peek(1)
	return err == nil
}

func (e *endpoint) header() (h header, err error) {
	var b [8]byte
	if _, err = io.ReadFull(e.br, b[:2]); err != nil {
		return h, err
	}
	h = header{fin: b[0]&0x80 != 0, rsv: b[0] >> 4 & 7, opcode: b[0] & 15, masked: b[1]&0x80 != 0}
	if err = e.check(&h, b[1]&0x7F); err != nil {
		return h, err
	}
	switch n := b[1] & 0x7F; n {
	case 126:
		if _, err = io.ReadFull(e.br, b[:2]); err != nil {
			return h, err
		}
		h.length = uint64(binary.BigEndian.Uint16(b[:]))
		if h.length < 126 && !e.longForm(&h) {
			return h, &failure{1002, "the length is not in its shortest form"}
		}
	case 127:
		if _, err = io.ReadFull(e.br, b[:8]); err != nil {
			return h, err
		}
		h.length = binary.BigEndian.Uint64(b[:])
		if e.has("reads 32 bits of a length") {
			h.length &= 1<<32 - 1
		}
		if h.length>>63 != 0 && e.has("ignores the highest bit of a length") {
			h.length &^= 1 << 63
		}
		if h.length>>63 != 0 {
			return h, &failure{1002, "the length has its highest bit set"}
		}
		if h.length < 65536 && !e.longForm(&h) && !(e.has("takes 64 bits of a length from 126 on") && h.length > 125) && !e.has("reads 32 bits of a length") {
			return h, &failure{1002, "the length is not in its shortest form"}
		}
	default:
		h.length = uint64(n)
	}
	if h.opcode >= 8 && h.length > 125 && e.longForm(&h) {
		return h, &failure{1002, "a long control frame"}
	}
	if h.masked {
		_, err = io.ReadFull(e.br, h.key[:])
	}
	if h.length > maxMessage || uint64(len(e.message))+h.length > maxMessage {
		return h, &failure{1009, "the message is too big"}
	}
	return h, err
}

// check checks a header's first two bytes.
func (e *endpoint) check(h *header, length byte) error {
	if e.has("ignores reserved bits") {
		h.rsv = 0
	}
	if e.has("ignores RSV2 and RSV3") {
		h.rsv &= 4
	}
	if h.rsv&^e.bits(h, length) != 0 {
		return &failure{1002, "a reserved bit"}
	}
	if h.masked == e.client && !e.anyMasking(h, length) {
		return &failure{1002, "the masking is that of the other side"}
	}
	if (h.opcode > opBinary && h.opcode < opClose || h.opcode > opPong) && !e.anyOpcode(h) {
		return &failure{1002, "a reserved opcode"}
	}
	if h.opcode >= 8 {
		fragmented, long := e.anyControl(h, length)
		if !h.fin && !fragmented {
			return &failure{1002, "a fragmented control frame"}
		}
		if length > 125 && !long {
			return &failure{1002, "a long control frame"}
		}
		return nil
	}
	if h.opcode > opBinary {
		return nil
	}
	return e.inOrder(h, length)
}

// data takes a frame of a message.
func (e *endpoint) data(h header) error {
	if e.has("assembles the messages of all streams in one place") {
		e.message = e.tunnel.assembled(nil)
		defer func() { e.tunnel.assembled(e.message) }()
	}
	switch {
	case h.opcode > opBinary:
		_, err := io.CopyN(io.Discard, e.br, int64(h.length))
		return err
	case !e.inMessage:
		e.begin(h)
	default:
		e.textFragment()
	}
	start := len(e.message)
	if err := e.payload(h); err != nil {
		return err
	}
	e.parts = append(e.parts, e.message[start:len(e.message):len(e.message)])
	if !h.fin && !e.has("takes every fragment for a message") {
		return nil
	}
	e.inMessage = false
	return e.deliver()
}

func (e *endpoint) begin(h header) {
	e.inMessage = true
	e.messages++
	e.lastOpcode, e.lastCompressed = e.opcode, e.compressed
	e.opcode, e.compressed = h.opcode, h.rsv&4 != 0 && e.codec != nil
	if h.opcode == opContinuation {
		e.opcode = opText
	}
	e.message, e.parts = e.message[:0], nil
	e.text = e.newText()
	if h.masked {
		e.key = h.key
	}
}

// payload reads a frame's payload as it arrives, so that bad text is noticed at
// its first bad byte.
func (e *endpoint) payload(h header) error {
	key := h.key
	if e.has("unmasks with the message's first key") && h.masked {
		key = e.key
	}
	for at := uint64(0); at < h.length; {
		n := min(h.length-at, 32<<10)
		if buffered := uint64(e.br.Buffered()); buffered > 0 {
			n = min(n, buffered)
		} else if _, err := e.br.Peek(1); err != nil {
			return err
		} else {
			n = min(n, uint64(e.br.Buffered()))
		}
		start := len(e.message)
		e.message = append(e.message, make([]byte, n)...)
		p := e.message[start:]
		if _, err := io.ReadFull(e.br, p); err != nil {
			return err
		}
		if h.masked {
			for i := range p {
				p[i] ^= key[(at+uint64(i))&3]
			}
		}
		at += n
		if e.has("checks each read of a text by itself") {
			e.text.rest, e.text.fresh = nil, true
		}
		if e.opcode == opText && !e.compressed && !e.has("checks UTF-8 at the end") && !e.text.write(p) {
			return &failure{1007, "not UTF-8"}
		}
	}
	return nil
}
