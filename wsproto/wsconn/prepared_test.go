package wsconn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// One Prepared goes to many connections, in both roles, compressed or not, and stays as it is.
func TestWritePrepared(t *testing.T) {
	text := strings.Repeat("again and again ", 100)
	m := wsproto.NewPrepared(frame.Text, []byte(text))
	for _, res := range []handshake.Result{{}, {Deflate: &wsproto.Deflate{}}} {
		client, server := wstest.PipeWith(t, res, nil)
		for _, c := range []struct {
			from, to *Conn
			opts     []WriteOption
		}{{client, server, nil}, {server, client, nil}, {server, client, []WriteOption{NoCompress}}, {server, client, nil}} {
			read := make(chan string, 1)
			go func() {
				_, p, err := c.to.Read(bounded(t))
				if err != nil {
					t.Error(err)
				}
				read <- string(p)
			}()
			if err := c.from.WritePrepared(bounded(t), m, c.opts...); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, read); got != text {
				t.Errorf("%v: received %.40q", res.Deflate, got)
			}
		}
		if string(m.Payload()) != text {
			t.Errorf("the message has become %.40q", m.Payload())
		}
		client.CloseNow()
		if err := client.WritePrepared(bounded(t), m); !errors.Is(err, ErrClosed) {
			t.Errorf("after CloseNow: %v", err)
		}
	}
	client, _ := wstest.Pipe(t, nil)
	if err := client.WritePrepared(bounded(t), nil); !errors.As(err, new(*wsproto.UsageError)) {
		t.Errorf("nil: %v", err)
	}
}
