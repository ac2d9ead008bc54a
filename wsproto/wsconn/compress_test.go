package wsconn_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
)

// A WriteOption decides for one message, whatever CompressFrom says, whole or in
// fragments.
func TestWriteOptions(t *testing.T) {
	const text = "again again again again again again again again "
	for _, role := range []wsproto.Role{wsproto.Client, wsproto.Server} {
		for _, tt := range []struct {
			from       int
			opts       []WriteOption
			compressed bool
		}{
			{0, nil, false}, {0, []WriteOption{Compress}, true}, {0, []WriteOption{NoCompress}, false},
			{1, nil, true}, {1, []WriteOption{NoCompress}, false},
			{-1, nil, false}, {-1, []WriteOption{Compress}, true},
		} {
			synctest.Test(t, func(t *testing.T) {
				c, nc := overPipe(t, role, &Options{CompressFrom: tt.from}, handshake.Result{Deflate: &wsproto.Deflate{}})
				first := make([]byte, 1)
				go c.Write(bounded(t), frame.Text, []byte(text), tt.opts...)
				io.ReadFull(nc, first)
				if got := first[0]&0x40 != 0; got != tt.compressed {
					t.Errorf("%v, CompressFrom %d, %v: compressed is %v", role, tt.from, tt.opts, got)
				}
				c.CloseNow()

				// The length of a message in fragments is not known when it begins.
				c, nc = overPipe(t, role, &Options{CompressFrom: tt.from}, handshake.Result{Deflate: &wsproto.Deflate{}})
				go func() {
					if w, err := c.Writer(bounded(t), frame.Text, tt.opts...); err == nil {
						io.Copy(w, strings.NewReader(text))
						w.Close()
					}
				}()
				io.ReadFull(nc, first)
				if got, want := first[0]&0x40 != 0, tt.compressed || tt.from == 0 && tt.opts == nil; got != want {
					t.Errorf("%v, CompressFrom %d, %v: a fragment is compressed: %v", role, tt.from, tt.opts, got)
				}
				c.CloseNow()
			})
		}
	}
}
