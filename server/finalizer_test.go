package server

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/hawser-ws/hawser/handshake"
)

// R23: connections of which nobody keeps a handle live on while garbage is collected
// hard: no finalizer closes a descriptor, neither theirs nor one that has got the
// number of what net/http had.
func TestR23Finalizers(t *testing.T) {
	const n = 50
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	plain := start(t, Config{Handler: funcs{message: echo}})
	secured, o, _ := startTLS(t, Config{Handler: funcs{message: echo}})
	var cs []*client
	for range n {
		for ts, o := range map[*testServer]*handshake.DialOptions{plain: nil, secured: o} {
			cs = append(cs, ts.dialWith(t, "/", o))
		}
	}
	waitFor(t, func() bool { return plain.Stats().Open == n && secured.Stats().Open == n })
	// They take the numbers that the handshakes gave back.
	var files []*os.File
	for range 2 * n {
		f, err := os.Open(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	before := openDescriptors(t)
	for i := range 10 {
		runtime.GC() // twice: what has a finalizer is freed by the second
		runtime.GC()
		for _, c := range cs {
			c.text(fmt.Sprint(i))
			c.expect(fmt.Sprintf("text \"%d\"", i))
		}
		for _, f := range files {
			if _, err := f.ReadAt(make([]byte, 4), 0); err != nil {
				t.Fatalf("somebody closed %v: %v", f.Fd(), err)
			}
		}
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors open, then %d", before, after)
	}
}
