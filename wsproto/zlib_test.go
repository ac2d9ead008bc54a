package wsproto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/hawser-ws/hawser/frame"
)

// zlibProcess is Node's zlib, asked over a pipe.
type zlibProcess struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func startZlib(t *testing.T) *zlibProcess {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed; make test installs it where it can")
	}
	cmd := exec.Command(node, "testdata/zlib.mjs")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return &zlibProcess{t, in, bufio.NewReaderSize(out, 1<<20)}
}

func (z *zlibProcess) do(op string, bits uint8, history, data []byte) []byte {
	z.t.Helper()
	json.NewEncoder(z.in).Encode(map[string]any{"op": op, "bits": bits, "history": string(base64(history)), "data": string(base64(data))})
	line, err := z.out.ReadBytes('\n')
	if err != nil {
		z.t.Fatal(err)
	}
	var answer struct {
		Data  []byte
		Error string
	}
	if err := json.Unmarshal(line, &answer); err != nil || answer.Error != "" {
		z.t.Fatalf("zlib, %s with %d bits: %v %s", op, bits, err, answer.Error)
	}
	return answer.Data
}

// base64 is how encoding/json writes bytes, without the quotes.
func base64(p []byte) []byte {
	b, _ := json.Marshal(append([]byte{}, p...))
	return bytes.Trim(b, `"`)
}

// zlib with a window of exactly 1<<bits bytes reads everything that this
// package sends, and this package reads what zlib compresses.
func TestZlib(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	z := startZlib(t)
	for bits := uint8(8); bits <= 15; bits++ {
		for _, no := range []bool{false, true} {
			r := rand.New(rand.NewPCG(seed, 0))
			d := Deflate{ServerMaxWindowBits: bits, ClientMaxWindowBits: bits, ServerNoContextTakeover: no, ClientNoContextTakeover: no}
			c := newDeflateConn(Server, d)
			var sent, received window
			for i := range 6 {
				p := prose(r, 300+r.IntN(1+r.IntN(30_000)))
				wire, err := c.AppendMessage(nil, frame.Binary, p)
				if err != nil {
					t.Fatal(err)
				}
				if no {
					sent, received = window{}, window{}
				}
				if got := z.do("inflate", bits, sent.b, append(unframe(t, wire), deflateTail...)); !bytes.Equal(got, p) {
					t.Fatalf("%d bits, message %d: zlib reads %d bytes; want %d", bits, i, len(got), len(p))
				}
				sent.add(p, 1<<bits)
				if bits == 8 {
					continue // zlib compresses with 9 bits at least
				}
				packed := bytes.TrimSuffix(z.do("deflate", bits, received.b, p), []byte(deflateTail))
				c.Feed(compressedFrames(packed))
				if ev := c.Next(); !bytes.Equal(ev.Payload, p) {
					t.Fatalf("%d bits, message %d of zlib: %s; want %d bytes", bits, i, describe(ev), len(p))
				}
				c.Next()
				received.add(p, 1<<bits)
			}
		}
	}
}
