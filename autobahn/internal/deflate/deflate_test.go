package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// inflate is another implementation's opinion.
func inflate(p []byte) ([]byte, error) {
	return io.ReadAll(stdflate.NewReader(bytes.NewReader(append(bytes.Clone(p), tail...))))
}

func random(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// words are random, with repetitions near and far.
func words(r *rand.Rand, n int) []byte {
	var b bytes.Buffer
	for b.Len() < n {
		if p := b.Bytes(); len(p) > 40 && r.IntN(3) == 0 {
			from := r.IntN(len(p) - 20)
			b.Write(bytes.Clone(p[from : from+20]))
		}
		fmt.Fprintf(&b, "%d ", r.IntN(1000))
	}
	return b.Bytes()[:n]
}

// The output of a Deflater with a window is accepted by an Inflater that checks
// the window, and read by another implementation.
func TestWindows(t *testing.T) {
	r := random(t)
	for bits := 8; bits <= 15; bits++ {
		for _, noTakeover := range []bool{false, true} {
			d := &Deflater{Bits: bits, NoTakeover: noTakeover}
			in := &Inflater{Bits: bits, NoTakeover: noTakeover}
			for range 8 {
				p := words(r, r.IntN(40000))
				c := bytes.Clone(d.Deflate(p))
				out, err := in.Inflate(c)
				if err != nil || !bytes.Equal(out, p) {
					t.Fatalf("%d bits, no takeover %v: %v", bits, noTakeover, err)
				}
				if noTakeover {
					if out, err := inflate(c); err != nil || !bytes.Equal(out, p) {
						t.Fatalf("%d bits: compress/flate: %v", bits, err)
					}
				}
			}
		}
	}
}

func TestInflaterFindsLargerWindows(t *testing.T) {
	for bits := 8; bits < 15; bits++ {
		block := words(random(t), 1<<bits+1)
		var s Stream
		s.Stored(false, block).Fixed(false, Copy(5, 1<<bits+1))
		if _, err := (&Inflater{Bits: bits}).Inflate(s.FlushTail()); err == nil || !strings.Contains(err.Error(), "beyond the window") {
			t.Errorf("%d bits: a copy from one byte too far: %v", bits, err)
		}
		s = Stream{}
		s.Stored(false, block).Fixed(false, Copy(5, 1<<bits))
		if out, err := (&Inflater{Bits: bits}).Inflate(s.FlushTail()); err != nil || len(out) != len(block)+5 {
			t.Errorf("%d bits: a copy from exactly as far as allowed: %v", bits, err)
		}
	}
}

// Scan follows the output of compress/flate at every level, and refuses it when
// it is cut short.
func TestScan(t *testing.T) {
	r := random(t)
	for level := -2; level <= 9; level++ {
		p := words(r, 30000)
		var b bytes.Buffer
		w, err := stdflate.NewWriter(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(p)
		w.Close()
		f, err := Scan(b.Bytes(), 0)
		if err != nil || f.Length != len(p) || !f.Final || f.Trailing != 0 || f.Reach > 1<<15 {
			t.Errorf("level %d: %+v, %v", level, f, err)
		}
		if f, err := Scan(b.Bytes()[:b.Len()/2], 0); err == nil && f.Length == len(p) {
			t.Errorf("level %d: half a stream is taken for a whole one", level)
		}
	}
}

func TestScanFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		what string
		p    []byte
	}{
		{"type 3", new(Stream).Bits(6, 3).Bytes()},
		{"stored lengths", []byte{0, 5, 0, 5, 0}},
		{"copy from nowhere", new(Stream).Fixed(false, Copy(3, 1)).Bytes()},
		{"distance symbol 30", new(Stream).Bits(2, 3).Symbol('a').Symbol(257).Distance(30).Bits(0, 20).Bytes()},
		{"length symbol 286", new(Stream).Bits(2, 3).Symbol(286).Bits(0, 20).Bytes()},
	} {
		if _, err := Scan(c.p, 0); err == nil {
			t.Errorf("%s is taken", c.what)
		}
		if _, err := inflate(c.p); err == nil {
			t.Errorf("%s is taken by compress/flate: the case tests nothing", c.what)
		}
	}
}

func TestInflaterBounds(t *testing.T) {
	tokens := Literals([]byte{0})
	for range 1000 {
		tokens = append(tokens, Copy(258, 1))
	}
	c := new(Stream).Fixed(false, tokens...).FlushTail()
	if _, err := (&Inflater{Bits: 15, Limit: 100000}).Inflate(c); err == nil {
		t.Error("a message beyond the limit is inflated")
	}
	if out, err := (&Inflater{Bits: 15, Limit: 300000}).Inflate(c); err != nil || len(out) != 258001 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
