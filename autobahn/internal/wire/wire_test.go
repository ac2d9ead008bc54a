package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"
)

// record writes down what a Parser reports.
type record struct{ lines []string }

func (r *record) Violation(what string) { r.lines = append(r.lines, "violation: "+what) }
func (r *record) BadText(what string)   { r.lines = append(r.lines, "bad text: "+what) }
func (r *record) Frame(h Header, p []byte) {
	r.lines = append(r.lines, fmt.Sprintf("frame %v %d %d %d %x", h.Fin, h.RSV, h.Opcode, h.Length, p))
}
func (r *record) Control(op byte, p []byte) {
	r.lines = append(r.lines, fmt.Sprintf("control %d %x", op, p))
}
func (r *record) Message(binary bool, p []byte) {
	r.lines = append(r.lines, fmt.Sprintf("message %v %x", binary, p))
}

func parse(client bool, chunks ...[]byte) []string {
	r := &record{}
	p := &Parser{Receiver: r, Client: client}
	for _, c := range chunks {
		if err := p.Feed(bytes.Clone(c)); err != nil {
			r.lines = append(r.lines, "error: "+err.Error())
		}
	}
	return r.lines
}

// A stream is read the same however it is split.
func TestParserIsIndifferentToSplits(t *testing.T) {
	key := [4]byte{1, 2, 3, 4}
	for _, client := range []bool{false, true} {
		var stream []byte
		for _, f := range []Frame{
			{Fin: true, Opcode: Text, Payload: []byte("é€")}, {Opcode: Text, Payload: []byte("\xc3")}, {Fin: true, Opcode: Ping, Payload: []byte("p")},
			{Fin: true, Opcode: Continuation, Payload: []byte("\xa9")}, {Fin: true, Opcode: Binary, Payload: bytes.Repeat([]byte{7}, 200)},
			{Fin: true, Opcode: Binary, Payload: []byte("x"), Form: Length64}, {Fin: true, Opcode: 3, RSV: 2}, {Fin: true, Opcode: Close, Payload: []byte{3, 0xE8}},
		} {
			stream = f.Append(stream, !client, key)
		}
		want := parse(client, stream)
		for i := range stream {
			if got := parse(client, stream[:i], stream[i:]); !slices.Equal(got, want) {
				t.Fatalf("split at %d: %q, want %q", i, got, want)
			}
		}
		single := make([][]byte, len(stream))
		for i := range stream {
			single[i] = stream[i : i+1]
		}
		if got := parse(client, single...); !slices.Equal(got, want) {
			t.Errorf("byte by byte: %q, want %q", got, want)
		}
	}
}

func TestParserFindsViolations(t *testing.T) {
	for _, c := range []struct {
		bytes string
		want  string
	}{
		{"\xc1\x00", "violation: reserved bits 100 with no extension that defines them"},
		{"\x81\x80\x01\x02\x03\x04", "violation: a masked frame from the server"},
		{"\x83\x00", "violation: a data frame with the reserved opcode 3"},
		{"\x8b\x00", "violation: a control frame with the reserved opcode 11"},
		{"\x09\x00", "violation: a fragmented control frame"},
		{"\x89\x7e\x00\x7e", "violation: a control frame with more than 125 bytes of payload"},
		{"\x88\x01a", "violation: a Close frame with one byte of payload"},
		{"\x80\x00", "violation: a continuation frame where there is nothing to continue"},
		{"\x81\x7e\x00\x7d", "violation: a payload length that is not written in its shortest form"},
		{"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "violation: a payload length that is not written in its shortest form"},
		{"\x82\x7f\xff\x00\x00\x00\x00\x00\x00\x00", "violation: a payload length with its highest bit set"},
		{"\x81\x02\xc0\xaf", "bad text: a text message that is not valid UTF-8"},
		{"\x81\x01\xc3", "bad text: a text message that ends inside a code point"},
	} {
		if got := parse(true, []byte(c.bytes)); !slices.Contains(got, c.want) {
			t.Errorf("%x: %q, want %q", c.bytes, got, c.want)
		}
	}
	if got := parse(false, []byte("\x81\x00")); !slices.Contains(got, "violation: an unmasked frame from the client") {
		t.Errorf("an unmasked frame from a client: %q", got)
	}
}

// The slow twin of Mask.
func TestMask(t *testing.T) {
	key := [4]byte{0xA1, 0xB2, 0xC3, 0xD4}
	for n := range 100 {
		for offset := range 5 {
			p := make([]byte, n)
			want := make([]byte, n)
			for i := range p {
				p[i] = byte(i * 7)
				want[i] = p[i] ^ key[(i+offset)%4]
			}
			if Mask(p, key, offset); !bytes.Equal(p, want) {
				t.Fatalf("%d bytes from offset %d: %x, want %x", n, offset, p, want)
			}
		}
	}
}

// Whatever the splits, the Validator agrees with the standard library.
func TestValidator(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	alphabet := []byte{0, 'a', 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF}
	for range 200000 {
		p := make([]byte, r.IntN(8))
		for i := range p {
			p[i] = alphabet[r.IntN(len(alphabet))]
		}
		var v Validator
		ok := true
		for rest := p; len(rest) > 0 && ok; {
			n := 1 + r.IntN(len(rest))
			ok = v.Write(rest[:n])
			rest = rest[n:]
		}
		if got := ok && v.Complete(); got != utf8.Valid(p) {
			t.Fatalf("%x: %v, want %v", p, got, utf8.Valid(p))
		}
	}
}

func TestSplitHead(t *testing.T) {
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection:  keep-alive ,\tUpgrade \r\nX:\r\n\r\n"
	for i := range head {
		if h, n, err := SplitHead([]byte(head[:i])); h != nil || n != 0 || err != nil {
			t.Fatalf("of %d bytes: %v, %d, %v", i, h, n, err)
		}
	}
	h, n, err := SplitHead([]byte(head + "rest"))
	if err != nil || n != len(head) {
		t.Fatalf("%d, %v", n, err)
	}
	if !h.HasToken("Connection", "upgrade") || h.Get("upgrade") != "websocket" || len(h.Values("x")) != 1 {
		t.Errorf("fields are %q", h.Fields)
	}
	if _, _, err := SplitHead([]byte("GET / HTTP/1.1\r\nA : b\r\n\r\n")); err == nil {
		t.Error("white space before a colon is taken")
	}
}

func TestAccept(t *testing.T) { // RFC 6455 §1.3
	if got := Accept("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("Accept = %q", got)
	}
}
