package faulty

import (
	"bytes"
	"compress/flate"
	"io"

	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
)

// params are those of permessage-deflate. 0 bits: absent; -1: without a value.
type params struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
}

// codec is permessage-deflate on one connection.
type codec struct {
	e                    *endpoint
	inNoTake, outNoTake  bool
	outBits              int
	inHistory, outWindow []byte
	inOther, outOther    []byte // of binary messages, where they have their own
}

func newCodec(e *endpoint, p params) *codec {
	c := &codec{e: e, inNoTake: p.clientNoTakeover, outNoTake: p.serverNoTakeover, outBits: p.serverBits}
	if e.client {
		c.inNoTake, c.outNoTake, c.outBits = p.serverNoTakeover, p.clientNoTakeover, p.clientBits
	}
	if c.outBits <= 0 || e.has("uses a larger window than agreed") {
		c.outBits = 15
	}
	if e.has("takes its context over all the same") {
		c.outNoTake = false
	}
	if e.has("forgets the peer's context") {
		c.inNoTake = true
	}
	return c
}

// history is the plaintext that a message may refer back to.
func (c *codec) history() *[]byte {
	if c.e.has("inflates in one context for all streams") {
		return &c.e.tunnel.inflated
	}
	if c.e.has("keeps a context for each opcode") && c.e.opcode == opBinary {
		return &c.inOther
	}
	return &c.inHistory
}

// inflate reads at most a byte more than maxMessage.
func (c *codec) inflate(p []byte) ([]byte, error) {
	if t := c.e.tunnel; t != nil {
		t.history.Lock()
		defer t.history.Unlock()
	}
	in := append(append([]byte(nil), p...), 0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF)
	if c.e.has("inflates what ends early") {
		in = in[:len(p)+4] // like a program that feeds a stream
	}
	tail := len(in) - len(p)
	var out []byte
	var err error
	// A final block may be followed by others (RFC 7692 §7.2.1).
	for r, first := bytes.NewReader(in), true; err == nil && (first || r.Len() > tail && !c.e.has("stops inflating at a final block")); first = false {
		var some []byte
		window := last(append(bytes.Clone(*c.history()), out...), 1<<15)
		some, err = io.ReadAll(io.LimitReader(flate.NewReaderDict(r, window), maxMessage+1))
		if out = append(out, some...); len(out) > maxMessage {
			break
		}
		if tail > 4 && r.Len() > tail && c.e.has("forgets the window at a final block") {
			defer func() { c.inHistory = nil }()
		}
	}
	if err != nil {
		if !c.e.has("delivers what it could inflate") && !(c.e.has("inflates what ends early") && err == io.ErrUnexpectedEOF) {
			return nil, err
		}
	}
	if !c.inNoTake {
		c.remember(out)
	}
	return out, nil
}

// remember adds a message to the window of the peer's messages.
func (c *codec) remember(p []byte) {
	h := c.history()
	if *h = last(append(*h, p...), 1<<15); len(p) == 0 && c.e.has("forgets the window at an empty message") {
		*h = nil
	}
}

func (c *codec) deflate(p []byte, opcode byte) []byte {
	window := &c.outWindow
	if c.e.has("deflates with a context for each opcode") && opcode == opBinary {
		window = &c.outOther
	}
	var s deflate.Stream
	s.Fixed(false, deflate.Tokens(*window, p, 1<<c.outBits)...)
	if !c.outNoTake {
		*window = last(append(*window, p...), 1<<15)
	}
	return s.FlushTail()
}

func last(p []byte, n int) []byte {
	if len(p) > n {
		return append([]byte(nil), p[len(p)-n:]...)
	}
	return p
}
