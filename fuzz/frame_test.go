package fuzz

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hawser-ws/hawser/frame"
)

// What ParseHeader reads, Append writes again byte for byte, for there is one form
// of each header; a part of a header is never taken for a whole one, nor does what
// stands behind it matter; and what it refuses, the plain reader refuses.
func FuzzHeader(f *testing.F) {
	for _, header := range []string{
		"\x81\x82kkkkhi", "\x82\xFE\x00\x7Ekkkk", "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", "\xF2\x00", "\x8A\x7D",
		"\x81\xFE\x00\x05kkkk", "\x82\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF", "\x82\xFF\x80", "\x09\x80", "\x89\x7E", "\x83\x00", "\x8B\x00", // F13, F02, F17, F15
		"\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "\x82\x7E\xFF\xFF", "", "\x81",
	} {
		f.Add([]byte(header))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := frame.ParseHeader(b)
		switch {
		case err != nil && n != 0 || n < 0 || n > min(len(b), frame.MaxHeaderSize):
			t.Fatalf("n = %d of %d, %v", n, len(b), err)
		case n > 0 && !bytes.Equal(h.Append(nil), b[:n]):
			t.Errorf("%x was read as %+v, which is written %x", b[:n], h, h.Append(nil))
		case n > 0 && h.Length >= 1<<63:
			t.Errorf("length %d", h.Length)
		case n == 0 && err == nil && len(b) >= frame.MaxHeaderSize:
			t.Errorf("more than %d bytes are wanted", len(b))
		}
		checkPrefixes(t, b, h, n, err)
		if _, _, plain := readFrame(b); (plain != nil) != (err != nil) {
			t.Errorf("%x: %v, and the plain reader says %v", b, err, plain)
		}
	})
}

// checkPrefixes reads every part of b that could end inside its header.
func checkPrefixes(t *testing.T, b []byte, h frame.Header, n int, err error) {
	t.Helper()
	refused := false
	for i := range min(len(b), frame.MaxHeaderSize) + 1 {
		part, m, e := frame.ParseHeader(b[:i:i])
		switch {
		case i >= n && n > 0:
			if part != h || m != n || e != nil {
				t.Errorf("the header of %x is %+v, %d, %v, with more behind it %+v, %d", b[:i], part, m, e, h, n)
			}
		case m != 0 || e != nil && e != err || refused && e == nil:
			t.Errorf("%x of %x gives %d, %v; want %v", b[:i], b, m, e, err)
		case i >= 2:
			part.Length, part.Key = h.Length, h.Key
			if part != h {
				t.Errorf("two bytes are enough for %+v; %x gives %+v", h, b[:i], part)
			}
		}
		refused = refused || e != nil
	}
	if err != nil && len(b) <= frame.MaxHeaderSize && !refused {
		t.Errorf("%x is refused, and so is none of its beginnings", b)
	}
}

// A stream of frames is taken apart alike by ParseHeader and Mask, in whatever
// pieces it comes, and by the plain reader.
func FuzzFrames(f *testing.F) {
	for _, masked := range []bool{false, true} {
		stream := appendWire(nil, 0x01, []byte("Hello, "), masked)
		stream = appendWire(stream, 0x89, nil, masked)
		stream = appendWire(stream, 0x80, bytes.Repeat([]byte("world"), 60), masked)
		f.Add(stream, []byte{1})
		f.Add(append(stream, 0x83), []byte{7, 0, 3})
		f.Add(appendWire(nil, 0xF2, make([]byte, 126), masked), []byte{200})
		f.Add(stream[:len(stream)-1], []byte{5})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		var want []wireFrame
		rest := stream
		var refused bool
		for {
			fr, n, err := readFrame(rest)
			refused = err != nil
			if n == 0 || refused {
				break
			}
			want = append(want, fr)
			rest = rest[n:]
		}
		for _, cut := range [][]byte{nil, {1}, cuts} {
			var p parser
			for _, piece := range pieces(stream, cut) {
				p.feed(bytes.Clone(piece))
			}
			if diff := cmp.Diff(want, p.frames, cmp.AllowUnexported(wireFrame{})); diff != "" || (p.err != nil) != refused {
				t.Errorf("%x cut by %v: %v (-plain +got):\n%s", stream, cut, p.err, diff)
			}
		}
	})
}

// parser takes frames apart with package frame, as they come.
type parser struct {
	head   []byte // of an unfinished header
	h      frame.Header
	inside bool
	open   wireFrame
	frames []wireFrame
	err    error
}

func (p *parser) feed(b []byte) {
	for p.err == nil {
		if !p.inside {
			if p.header(&b); !p.inside {
				return
			}
		}
		n := int(min(p.h.Length, uint64(len(b))))
		p.h.Key = frame.Mask(b[:n], p.h.Key)
		p.open.payload = append(p.open.payload, b[:n]...)
		p.h.Length -= uint64(n)
		b = b[n:]
		if p.h.Length > 0 {
			return
		}
		p.frames = append(p.frames, p.open)
		p.inside = false
	}
}

// header reads one from what is kept of it and *b, which it takes it from.
func (p *parser) header(b *[]byte) {
	kept := len(p.head)
	p.head = append(p.head, *b...)
	var n int
	if p.h, n, p.err = frame.ParseHeader(p.head); n == 0 || p.err != nil {
		return
	}
	*b = (*b)[n-kept:]
	p.head = nil
	p.inside = true
	h := p.h
	if !h.Masked {
		p.h.Key = 0
	}
	p.open = wireFrame{h.Fin, h.RSV1, h.RSV2, h.RSV3, byte(h.Opcode), h.Masked, []byte{}}
}

// Mask does what a loop over the bytes does, in place, in any pieces, at any
// alignment, and touches nothing beside its argument.
func FuzzMask(f *testing.F) {
	for _, n := range []int{0, 1, 3, 4, 7, 8, 9, 31, 63, 64, 65, 127, 128, 129, 255, 511, 512, 640, 1030} { // F23
		f.Add(bytes.Repeat([]byte{0xA5, 1}, n)[:n], uint32(0x3D21FA37), uint8(n%17), []byte{byte(n), 1})
	}
	f.Fuzz(func(t *testing.T, p []byte, key uint32, offset uint8, cuts []byte) {
		const guard = 64
		wire := [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}
		want := xored(p, wire, 0)
		for _, cut := range [][]byte{nil, {1}, cuts} {
			b := bytes.Repeat([]byte{0xDB}, len(p)+2*guard+int(offset%guard))
			inner := b[guard+int(offset%guard):]
			inner = inner[:copy(inner, p)]
			k := key
			for _, piece := range pieces(inner, cut) {
				k = frame.Mask(piece, k)
			}
			if !bytes.Equal(inner, want) {
				t.Errorf("%x with %x, cut by %v, gives %x, want %x", p, wire, cut, inner, want)
			}
			if next := xored(make([]byte, 4), wire, len(p)); k != uint32(next[0])|uint32(next[1])<<8|uint32(next[2])<<16|uint32(next[3])<<24 {
				t.Errorf("the key after %d bytes is %x, want %x", len(p), k, next)
			}
			for i, c := range b {
				if inside := i >= guard+int(offset%guard) && i < guard+int(offset%guard)+len(p); !inside && c != 0xDB {
					t.Fatalf("byte %d of %d was written to", i, len(b))
				}
			}
		}
	})
}
