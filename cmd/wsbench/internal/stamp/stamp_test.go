package stamp

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"
	"unicode/utf8"
)

func each(t *testing.T, f func(t *testing.T, m *Maker)) {
	for _, size := range []int{0, TextSize, 128, 1 << 10, 64 << 10} {
		for _, bin := range []bool{false, true} {
			for _, fill := range []Filler{Random, Compressible} {
				for _, deflate := range []bool{false, true} {
					f(t, NewMaker(Options{Size: size, Binary: bin, Filler: fill, Seed: 7, Deflate: deflate}))
				}
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, m *Maker) {
		for _, want := range []Stamp{{}, {1, 2, 3}, {1<<32 - 1, 1<<32 - 1, 1<<63 - 1}} {
			p := m.Append([]byte("before"), want)[len("before"):]
			if len(p) != m.Size || !m.Binary && !utf8.Valid(p) {
				t.Fatalf("%d bytes, want %d; valid UTF-8: %t", len(p), m.Size, utf8.Valid(p))
			}
			if !m.Binary && strings.Trim(string(p), Characters) != "" {
				t.Fatalf("%q has other characters", strings.Trim(string(p), Characters))
			}
			if got, ok := m.Parse(p); !ok || got != want {
				t.Fatalf("%+v, %t; want %+v", got, ok, want)
			}
		}
	})
}

// Every byte counts: no change of one, no cut and no addition goes unseen.
func TestEveryByteIsChecked(t *testing.T) {
	for _, bin := range []bool{false, true} {
		m := NewMaker(Options{Size: 200, Binary: bin, Seed: 1})
		p := m.Append(nil, Stamp{Stream: 9, Seq: 10, Due: 11})
		for i := range p {
			for _, flip := range []byte{1, 2, 0x20, 0x40} {
				q := bytes.Clone(p)
				q[i] ^= flip
				if _, ok := m.Parse(q); ok {
					t.Errorf("binary %t: byte %d changed by %#x goes unseen", bin, i, flip)
				}
			}
			if _, ok := m.Parse(p[:i]); ok {
				t.Errorf("binary %t: cut at %d goes unseen", bin, i)
			}
		}
		if _, ok := m.Parse(append(p, 'x')); ok {
			t.Error("an added byte goes unseen")
		}
	}
}

// Random filler must not let a compressing server look fast.
func TestFillerCompresses(t *testing.T) {
	ratio := func(bin bool, f Filler) float64 {
		m := NewMaker(Options{Size: 1 << 10, Binary: bin, Filler: f, Seed: 3, Deflate: true})
		var in, out bytes.Buffer
		for i := range uint32(64) {
			in.Write(m.Append(nil, Stamp{Seq: i}))
		}
		w, _ := flate.NewWriter(&out, flate.BestCompression)
		w.Write(in.Bytes())
		w.Close()
		return float64(out.Len()) / float64(in.Len())
	}
	if r := ratio(true, Random); r < 0.98 {
		t.Errorf("random binary compresses to %.2f", r)
	}
	if r := ratio(false, Random); r < 0.73 || r > 0.80 {
		t.Errorf("random text compresses to %.2f; 6 bits in 8 are 0.75", r)
	}
	if r := ratio(false, Compressible); r > 0.1 {
		t.Errorf("compressible text compresses to %.2f", r)
	}
}

func BenchmarkAppendParse128(b *testing.B) {
	m := NewMaker(Options{Size: 128, Seed: 1})
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Append(buf[:0], Stamp{Stream: 1, Seq: 2, Due: 3})
		if _, ok := m.Parse(buf); !ok {
			b.Fatal("not parsed")
		}
	}
}
