package fuzz

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// message appends one message to a stream that is meant for this end, in frames of
// the sizes that cuts name. first is the first byte without FIN.
func (s settings) message(stream []byte, first byte, payload, cuts []byte) []byte {
	frames := pieces(payload, cuts)
	if len(frames) == 0 {
		frames = [][]byte{nil}
	}
	for i, p := range frames {
		b := first
		if i > 0 {
			b = 0
		}
		if i == len(frames)-1 {
			b |= 0x80
		}
		stream = appendWire(stream, b, p, s.Role == wsproto.Server)
	}
	return stream
}

// check holds a connection that is fed in against the reference: whole, byte by
// byte, and cut as cuts say.
func (s settings) check(t *testing.T, in, cuts []byte) {
	t.Helper()
	want := s.reference(in)
	checkMemory(t, s.mostMemory(in), func() { s.swallow(t, bytes.Clone(in)) })
	var first string
	for i, cut := range [][]byte{nil, {1}, cuts, cuts} {
		got, sent := s.feed(t, in, cut, i == 3)
		if i == 0 {
			first = sent
		}
		if sent != first {
			t.Errorf("%+v sent %q when fed %x at once, and %q when it was cut by %v", s, first, in, sent, cut)
		}
		if len(cut) != 1 || cut[0] != 1 {
			got.At = want.At // only byte by byte does it show
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v, %x cut by %v (-reference +got):\n%s", s, in, cut, diff)
		}
	}
}

// swallow runs one connection over a stream and keeps nothing, so that what is
// allocated is the connection's.
func (s settings) swallow(t *testing.T, in []byte) {
	c, _ := s.open(t)
	defer c.Release()
	c.Feed(in)
	for c.Next().Kind != wsproto.NeedData {
		c.Output()
	}
}

// feed runs one connection over a stream, and returns what came of it, and the
// bytes it sent. If it moves, another connection goes on with its state after each piece.
func (s settings) feed(t *testing.T, in, cuts []byte, moves bool) (got outcome, sent string) {
	t.Helper()
	c, cfg := s.open(t)
	defer func() { c.Release() }()
	var out []byte
	fed := 0
	var buf []byte
	for _, p := range pieces(in, cuts) {
		buf = append(buf[:0], p...)
		c.Feed(buf)
		fed += len(p)
		for {
			ev := c.Next()
			s.note(t, &got, ev, fed)
			out = append(out, c.Output()...)
			if ev.Kind == wsproto.NeedData {
				break
			}
		}
		if _, n, ok := c.Unfinished(); n > fed || ok && n == 0 || !ok && n != 0 {
			t.Errorf("Unfinished %d, %t after %d bytes", n, ok, fed)
		}
		clear(buf) // it is ours again
		if moves {
			state := c.AppendState(nil, wsproto.NewestState)
			c.Release()
			c = new(wsproto.Conn)
			c.Init(cfg)
			if err := c.RestoreState(state); err != nil {
				t.Fatalf("after %d bytes of %x: state %x: %v", fed, in, state, err)
			}
		}
	}
	if c.Finished() != got.Ended || c.CloseExpected() != (got.Ended || s.Closing) {
		t.Errorf("finished %t, close expected %t; ended %t", c.Finished(), c.CloseExpected(), got.Ended)
	}
	if _, err := c.AppendMessage(nil, frame.Binary, nil); errors.Is(err, wsproto.ErrClosed) != c.CloseExpected() {
		t.Errorf("then sending gives %v", err)
	}
	for _, f := range readFrames(t, out, s.Role == wsproto.Client) {
		r := reply{f.opcode, string(f.payload)}
		if f.rsv1 || !f.control() {
			t.Errorf("sent by itself: %+v", f)
		}
		if f.opcode == 8 && len(f.payload) > 2 && !isUTF8(f.payload[2:]) {
			t.Errorf("close reason %q", f.payload[2:])
		}
		if n := len(got.Events); f.opcode == 8 && n > 0 && got.Events[n-1].Kind == wsproto.Failed {
			r.Payload = r.Payload[:min(2, len(r.Payload))]
		}
		got.Replies = append(got.Replies, r)
	}
	return got, string(out)
}

// open makes a connection. A client's masking keys are the same each time.
func (s settings) open(t testing.TB) (*wsproto.Conn, *wsproto.Config) {
	t.Helper()
	key := uint32(0)
	c := new(wsproto.Conn)
	cfg := &wsproto.Config{
		Role: s.Role, MaxMessage: s.Limit, MaxFragments: s.Fragments, Stream: s.Stream, CompressFrom: s.From,
		MaskKey: func() uint32 { key += 0x9E3779B9; return key },
	}
	c.Init(cfg)
	if s.Deflate != nil {
		c.UseDeflate(*s.Deflate)
	}
	if s.Closing {
		if _, err := c.AppendClose(nil, wsproto.CloseGoingAway, "bye"); err != nil {
			t.Fatal(err)
		}
	}
	return c, cfg
}

// note adds an event to the outcome.
func (s settings) note(t *testing.T, got *outcome, ev wsproto.Event, fed int) {
	t.Helper()
	if ev.Kind == wsproto.NeedData {
		return
	}
	if got.Ended {
		t.Errorf("event %+v behind the last", ev)
	}
	if len(ev.Payload) > max(s.Limit, frame.MaxControlPayload) && ev.Kind != wsproto.Piece {
		t.Errorf("a payload of %d bytes; the limit is %d", len(ev.Payload), s.Limit)
	}
	h := happening{Kind: ev.Kind, Opcode: ev.Opcode, Code: ev.Code, Payload: string(ev.Payload)}
	switch ev.Kind {
	case wsproto.Piece:
		got.Partial += h.Payload
		if !s.Stream {
			t.Errorf("a piece, without Stream")
		}
		if !ev.Fin {
			return
		}
		h.Kind, h.Payload = wsproto.Message, got.Partial
		got.Partial = ""
	case wsproto.Message:
		if s.Stream {
			t.Errorf("a message, with Stream")
		}
	case wsproto.Closed:
		got.Ended, got.At, got.Partial = true, fed, ""
	case wsproto.Failed:
		got.Ended, got.At, got.Partial = true, fed, ""
		peer, ok := ev.Err.(*wsproto.PeerError)
		if !ok {
			t.Fatalf("what a peer sent gives %T: %v", ev.Err, ev.Err)
		}
		h.Code = peer.Code
	}
	got.Events = append(got.Events, h)
}
