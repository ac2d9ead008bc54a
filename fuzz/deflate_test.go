package fuzz

import (
	"bytes"
	"compress/flate"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// deflated is what a sender of RFC 7692 might make of s.
func deflated(s string, level int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		panic(err)
	}
	w.Write([]byte(s))
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte(deflateTail))
}

// Two compressed messages of any bytes, one after the other on one connection, say
// what the plain inflater reads in them, or fail as it does; and the next
// connection, which is given the same pooled inflater, does not notice (Z06).
func FuzzInflate(f *testing.F) {
	text := strings.Repeat("the quick brown fox, the lazy dog; ", 9)
	for _, p := range [][2][]byte{
		{deflated(text, 1), deflated(text, 9)},
		{deflated(text, flate.HuffmanOnly), deflated(text, flate.NoCompression)},
		{deflated(strings.Repeat("\x00", 4<<20), 9), deflated("", 1)},                      // Z01
		{[]byte("\xF3\x48\xCD\xC9\xC9\x07\x00\x00"), []byte("\xF2\x00\x11\x00\x00")},       // RFC 7692 §7.2.3.4, §7.2.3.2
		{[]byte("\x01\x01\x00\xFE\xFFa\x00\x01\x00\xFE\xFFb\x00"), []byte("\x03\x00\x00")}, // Z04: behind a final block
		{[]byte("\x00\x04\x00\xFB\xFF"), []byte("\x01\x04\x00\xFB\xFF")},                   // a stored block that takes the tail
		{[]byte("\x01\x09\x00\xF6\xFF"), []byte("\x00\x06\x00\xF9\xFFa")},                  // Z04: cut off
		{[]byte("\x05"), []byte("\x03\x00")},                                               // Z04: cut off
		{[]byte("\x07"), []byte("\xED\xBD\x07\x60")},                                       // Z04: garbage
		{[]byte("\x01\x01\x00\xFE\xFFa\x02\x02\x00\x00"), []byte("\x02\x02\x00\x00")},      // a reference over a final block
		{[]byte("\x00\x2C\x01\xD3\xFE" + text[:300] + "\x00"), []byte("\x02\x06\x00\x00")}, // a reference 257 bytes back
		{[]byte("\xCA\x48\xCD\xC9\xC9\xD7\x51\x00\x03\x00"), deflated(text, 1)[:40]},
	} {
		for _, a := range []byte{0x40, 0x43, 0xC3, 0x57} {
			f.Add(a, byte(0xFC), p[0], p[1], []byte{}, []byte{9})
			f.Add(a, byte(0x00), p[0], p[1], []byte{5}, []byte{})
			f.Add(a, byte(0x03), p[0], p[1], []byte{100, 0}, []byte{3})
		}
	}
	f.Fuzz(func(t *testing.T, a, b byte, first, second, frames, cuts []byte) {
		for _, role := range []wsproto.Role{wsproto.Server, wsproto.Client} {
			s := choose(role, a, b)
			s.Deflate, s.Fragments = chooseDeflate(b), -1
			op := 0x41 + a>>7
			stream := s.message(nil, op, first, frames)
			s.check(t, s.message(stream, op, second, frames), cuts)

			s = settings{Role: role, Limit: 5, Deflate: s.Deflate}
			hello := s.message(nil, 0x41, []byte("\xF2\x48\xCD\xC9\xC9\x07\x00"), nil)
			want := outcome{Events: []happening{{Kind: wsproto.Message, Opcode: frame.Text, Payload: "Hello"}}}
			if got, _ := s.feed(t, hello, nil, false); cmp.Diff(want, got) != "" {
				t.Errorf("the next connection hears %+v", got)
			}
		}
	})
}

// Whatever is sent, in whatever order and with whatever agreed on, the plain reader
// and an inflater with no more memory than the agreed window read it back, and
// so does our own other end; it is no longer than it would be uncompressed; and
// what may not be sent is refused and leaves nothing behind.
func FuzzDeflate(f *testing.F) {
	text := []byte("the quick brown fox jumps over the lazy dog, 0123456789 times")
	for _, script := range [][]byte{
		{0, 0, 60, 0, 0, 60, 0, 9, 200},
		{1, 0, 60, 4, 0, 3, 1, 0, 60, 2, 0, 0, 0, 0, 60},
		{0xE0, 0, 255, 0xE0, 0, 200, 0x20, 0, 255, 7, 0, 200, 0xE0, 0, 9},
		{3, 0, 200, 3, 0, 200, 0, 0, 200, 3, 1, 1},
		{0xC7, 0, 255, 0xC1, 0, 255, 0xC1, 0, 255, 2, 0, 9, 0xC0, 0, 255},
		{1, 0, 9, 0, 0, 9, 3, 0, 9, 2, 0, 9, 6, 0, 20, 0, 0, 1, 4, 0, 1, 1, 0, 1, 6, 0, 1, 3, 0, 1},
	} {
		for _, b := range []byte{0x00, 0x24, 0xFC, 0x03, 0x8F} {
			f.Add(b, byte(1), script, text, []byte{7, 50})
			f.Add(b, byte(0), script, []byte("κόσμε"), []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, b, mode byte, script, text, cuts []byte) {
		for _, role := range []wsproto.Role{wsproto.Server, wsproto.Client} {
			s := sender{settings: settings{Role: role, Limit: 1 << 20, Fragments: -1}, t: t}
			if s.Deflate = chooseDeflate(b); mode&1 != 0 {
				s.From = 1
			}
			s.c, _ = s.open(t)
			for ; len(script)-s.at >= 3 && len(s.out) < 128<<10; s.at += 3 {
				s.step(script[s.at], text, int(script[s.at+1]), int(script[s.at+2]))
			}
			s.c.Release()
			s.checkPlain()
			peer := settings{Role: 1 - role, Limit: 1 << 20, Fragments: -1, Deflate: s.Deflate}
			want := outcome{Events: s.said}
			if got, _ := peer.feed(t, s.out, cuts, false); !cmp.Equal(want.Events, got.Events) {
				t.Errorf("%+v; our other end (-said +heard):\n%s", s.settings, cmp.Diff(want.Events, got.Events))
			}
		}
	})
}

// sender sends what a script says and remembers it.
type sender struct {
	settings
	t      *testing.T
	c      *wsproto.Conn
	at     int // in the script
	out    []byte
	said   []happening
	begun  bool // a message in fragments
	sofar  []byte
	closed bool
}

// payload is n bytes of text, which begins again at its end; with noise, they have
// nothing to do with one another.
func payload(text []byte, from, n int, noise bool) []byte {
	p := make([]byte, n)
	state := uint32(from + 1)
	for i := range p {
		if len(text) > 0 {
			p[i] = text[(from+i)%len(text)]
		}
		if state = state*1664525 + 1013904223; noise {
			p[i] ^= byte(state >> 24)
		}
	}
	return p
}

func opcodeFor(p []byte) frame.Opcode {
	if isUTF8(p) {
		return frame.Text
	}
	return frame.Binary
}

// step does one thing: its kind is in the low bits of what, the high ones scale its
// length up to 32 KiB.
func (s *sender) step(what byte, text []byte, from, n int) {
	s.t.Helper()
	p := payload(text, from, n<<(what>>5), what&7 == 7)
	kept := bytes.Clone(p)
	before, h := len(s.out), happening{Kind: wsproto.Message, Opcode: opcodeFor(p), Payload: string(p)}
	var err error
	misuse, most := s.begun, len(p)
	switch what & 7 {
	case 1, 2:
		misuse, h.Kind, most = false, wsproto.NeedData, len(p)+len(p)/64+32
		s.out, err = s.fragment(p, what&7 == 2)
	case 3:
		var b []byte
		b, err = s.c.Frame(wsproto.NewPrepared(h.Opcode, p))
		s.out = append(s.out, b...)
	case 4, 5:
		misuse, p = len(p) > 125, p[:min(len(p), 126)]
		h = happening{Kind: wsproto.Ping, Payload: string(p)}
		send := s.c.AppendPing
		if what&7 == 5 {
			h.Kind, send = wsproto.Pong, s.c.AppendPong
		}
		s.out, err = send(s.out, p)
	case 6:
		misuse = false
		s.out, err = s.c.AppendClose(s.out, wsproto.CloseGoingAway, "bye")
		h = happening{Kind: wsproto.Closed, Code: wsproto.CloseGoingAway, Payload: "bye"}
	default:
		s.out, err = s.c.AppendMessage(s.out, h.Opcode, p)
	}
	if !bytes.Equal(p, kept[:len(p)]) {
		s.t.Errorf("what was to be sent was changed")
	}
	usage := new(wsproto.UsageError)
	switch {
	case misuse && errors.As(err, &usage), s.closed && errors.Is(err, wsproto.ErrClosed):
		if len(s.out) != before {
			s.t.Errorf("refused with %v, and %d bytes came out", err, len(s.out)-before)
		}
		return
	case misuse || s.closed || err != nil:
		s.t.Fatalf("step %d: in a message %t, closed %t: %v", what&7, s.begun, s.closed, err)
	}
	if grew := len(s.out) - before; grew > max(most, 5)+frame.MaxHeaderSize {
		s.t.Errorf("%d bytes became %d", len(p), grew)
	}
	if h.Kind != wsproto.NeedData {
		s.said = append(s.said, h)
	}
	s.closed = s.closed || h.Kind == wsproto.Closed
}

func (s *sender) fragment(p []byte, fin bool) ([]byte, error) {
	op := frame.Binary
	if s.begun {
		op = frame.Continuation
	}
	out, err := s.c.AppendFragment(s.out, op, p, fin)
	if err != nil {
		return out, err
	}
	s.begun = !fin
	s.sofar = append(s.sofar, p...)
	if fin {
		s.said = append(s.said, happening{Kind: wsproto.Message, Opcode: frame.Binary, Payload: string(s.sofar)})
		s.sofar = nil
	}
	return out, nil
}

// checkPlain reads what was sent without any help of ours.
func (s *sender) checkPlain() {
	s.t.Helper()
	opposite := settings{Role: 1 - s.Role, Deflate: s.Deflate}
	takeover, bits := opposite.incoming()
	var heard []happening
	var message, history []byte
	var op byte
	var compressed bool
	for _, f := range readFrames(s.t, s.out, s.Role == wsproto.Client) {
		switch f.opcode {
		case 8:
			heard = append(heard, happening{wsproto.Closed, 0, wsproto.CloseCode(f.payload[0])<<8 | wsproto.CloseCode(f.payload[1]), string(f.payload[2:])})
			continue
		case 9, 10:
			heard = append(heard, happening{wsproto.Ping + wsproto.Kind(f.opcode-9), 0, 0, string(f.payload)})
			continue
		case 1, 2:
			op, compressed, message = f.opcode, f.rsv1, nil
		}
		if f.rsv1 && f.opcode == 0 {
			s.t.Errorf("RSV1 on a continuation")
		}
		message = append(message, f.payload...)
		if !f.fin {
			continue
		}
		if compressed {
			plain, err := inflateMessage(message, history, 1<<bits, 1<<24)
			if err != nil {
				s.t.Fatalf("%+v, window %d: %x does not inflate: %v", s.Deflate, 1<<bits, message, err)
			}
			if message = plain; takeover {
				history = append(history, plain...)
			}
		}
		heard = append(heard, happening{wsproto.Message, frame.Opcode(op), 0, string(message)})
	}
	if diff := cmp.Diff(s.said, heard); diff != "" {
		s.t.Errorf("%+v (-said +read):\n%s", s.settings, diff)
	}
}
