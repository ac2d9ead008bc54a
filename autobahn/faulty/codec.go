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

// inflate takes at most a byte more than maxMessage.
func (c *codec) inflate(p []byte) ([]byte, error) {
	in := append(append([]byte(nil), p...), 0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF)
	if c.e.has("inflates what ends early") {
		in = in[:len(p)+4] // as a program does that feeds a stream
	}
	out, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(bytes.NewReader(in), c.inHistory), maxMessage+1))
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

// remember puts a message into the window of what the peer sends.
func (c *codec) remember(p []byte) {
	c.inHistory = last(append(c.inHistory, p...), 1<<15)
}

func (c *codec) deflate(p []byte) []byte {
	var s deflate.Stream
	s.Fixed(false, deflate.Tokens(c.outWindow, p, 1<<c.outBits)...)
	if !c.outNoTake {
		c.outWindow = last(append(c.outWindow, p...), 1<<15)
	}
	return s.FlushTail()
}

func last(p []byte, n int) []byte {
	if len(p) > n {
		return append([]byte(nil), p[len(p)-n:]...)
	}
	return p
}
