package peers

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"testing"
	_ "unsafe" // for go:linkname: only gobwas exports its masking

	_ "github.com/coder/websocket"
	"github.com/gobwas/ws"
	_ "github.com/gorilla/websocket"
	_ "github.com/lxzan/gws"

	"github.com/hawser-ws/hawser/frame"
)

//go:linkname gorillaMask github.com/gorilla/websocket.maskBytes
func gorillaMask(key [4]byte, pos int, b []byte) int

//go:linkname coderMask github.com/coder/websocket.mask
func coderMask(b []byte, key uint32) uint32

//go:linkname gwsMask github.com/lxzan/gws/internal.MaskXOR
func gwsMask(b []byte, key []byte)

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

var libraries = []struct {
	name string
	mask func(p []byte)
}{
	{"hawser", func(p []byte) { frame.Mask(p, binary.LittleEndian.Uint32(key[:])) }},
	{"gobwas", func(p []byte) { ws.Cipher(p, key, 0) }},
	{"coder", func(p []byte) { coderMask(p, binary.LittleEndian.Uint32(key[:])) }},
	{"gorilla", func(p []byte) { gorillaMask(key, 0, p) }},
	{"gws", func(p []byte) { gwsMask(p, key[:]) }},
}

// All of them do the same.
func TestMask(t *testing.T) {
	for n := range 300 {
		want := make([]byte, n)
		for i := range want {
			want[i] = key[i%4]
		}
		for _, l := range libraries {
			got := make([]byte, n)
			l.mask(got)
			if !bytes.Equal(want, got) {
				t.Fatalf("%s, length %d: %x; want %x", l.name, n, got, want)
			}
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, n := range []int{1, 2, 4, 8, 16, 32, 125, 1 << 10, 64 << 10} {
		p := make([]byte, n)
		for _, l := range libraries {
			b.Run(strconv.Itoa(n)+"/"+l.name, func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					l.mask(p)
				}
			})
		}
	}
}
