package frame

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"testing"
)

// maskSlow is the sentence of RFC 6455 §5.3: "octet i of the transformed data
// is the XOR of octet i of the original data with octet at index i modulo 4 of
// the masking key".
func maskSlow(p []byte, key [4]byte, offset int) {
	for i := range p {
		p[i] ^= key[(offset+i)%4]
	}
}

// twins are the other ways to do what maskVector does on this machine.
var twins = map[string]func(p []byte, key uint32){}

// F23: every way to mask equals the byte-wise XOR, at every alignment and
// length, and touches nothing beside.
func TestMaskF23(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	buf := make([]byte, 1200)
	for i := range buf {
		buf[i] = byte(r.Uint32())
	}
	want, got := make([]byte, len(buf)), make([]byte, len(buf))
	for n := range 1100 {
		key := r.Uint32()
		var k, rotated [4]byte
		binary.LittleEndian.PutUint32(k[:], key)
		for align := range 65 {
			if n > 300 && align%7 != n%7 {
				continue
			}
			copy(want, buf)
			maskSlow(want[align:align+n], k, 0)
			copy(got, buf)
			next := Mask(got[align:align+n], key)
			if !bytes.Equal(want, got) {
				t.Fatalf("align %d, length %d, key %08x: differs from the byte-wise XOR", align, n, key)
			}
			binary.LittleEndian.PutUint32(rotated[:], next)
			for i := range rotated {
				if rotated[i] != k[(n+i)%4] {
					t.Fatalf("length %d: key %x rotated to %x", n, k, rotated)
				}
			}
			for name, mask := range twins {
				if n < vectorMin {
					continue
				}
				copy(got, buf)
				mask(got[align:align+n], key)
				if !bytes.Equal(want, got) {
					t.Fatalf("%s, align %d, length %d, key %08x: differs from the byte-wise XOR", name, align, n, key)
				}
			}
		}
	}
}

func TestMaskPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	whole := make([]byte, 3000)
	for range 500 {
		pieces := append([]byte(nil), whole...)
		key := r.Uint32()
		for rest, k := pieces, key; len(rest) > 0; {
			n := min(1+r.IntN(200), len(rest))
			k = Mask(rest[:n], k)
			rest = rest[n:]
		}
		Mask(pieces, key)
		if !bytes.Equal(whole, pieces) {
			t.Fatalf("key %08x: masked in pieces differs from masked whole", key)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, n := range []int{1, 4, 8, 15, 32, 64, 128, 256, 512, 1 << 10, 4 << 10, 64 << 10} {
		p := make([]byte, n)
		b.Run("chosen/"+strconv.Itoa(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Mask(p, 0x12345678)
			}
		})
		for name, mask := range twins {
			if n >= vectorMin {
				b.Run(name+"/"+strconv.Itoa(n), func(b *testing.B) {
					b.SetBytes(int64(n))
					for b.Loop() {
						mask(p, 0x12345678)
					}
				})
			}
		}
	}
}
