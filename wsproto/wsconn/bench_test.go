package wsconn_test

import (
	"context"
	"io"
	"runtime"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
)

// BenchmarkStream1GiB sends a message of 1 GiB to a server that sends it back as it
// arrives. heap-MiB is how much of it the program holds.
func BenchmarkStream1GiB(b *testing.B) {
	const size = 1 << 30
	l := accepting(b, "ws", &AcceptOptions{Stream: true}, echoStreams)
	c, err := Dial(context.Background(), l.url, &DialOptions{Stream: true})
	if err != nil {
		b.Fatal(err)
	}
	defer c.CloseNow()
	b.SetBytes(2 * size)
	for b.Loop() {
		writing := started(func() error {
			w, err := c.Writer(context.Background(), frame.Binary)
			if err == nil {
				_, err = io.CopyN(w, zeros{}, size)
			}
			if err == nil {
				err = w.Close()
			}
			return err
		})
		_, r, err := c.Reader(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); n != size || err != nil {
			b.Fatal(n, err)
		}
		if err := <-writing; err != nil {
			b.Fatal(err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "heap-MiB")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
