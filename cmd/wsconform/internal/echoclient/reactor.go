package echoclient

import (
	"context"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// reactor echoes on the event loops of package server. A connection's Value is a channel that
// is closed when the connection has ended.
type reactor struct{ *server.Server }

func newReactor() (*reactor, error) {
	r := &reactor{}
	var err error
	// A tester may be slow, both in reading and in writing.
	r.Server, err = server.New(server.Config{
		Handler: r, MaxMessage: 64 << 20, MaxFragments: server.Off, MaxControlRate: server.Off, WriteQueue: server.Off, CompressFrom: 1,
		PingInterval: server.Off, WriteTimeout: server.Off, AssemblyTimeout: server.Off,
	})
	return r, err
}

func (r *reactor) OnOpen(server.LoopConn) {}

func (r *reactor) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }

func (r *reactor) OnClose(c server.LoopConn, _ error) {
	if over, ok := c.Value().(chan struct{}); ok {
		close(over)
	}
}

// echo is like the function of that name.
func (r *reactor) echo(ctx context.Context, url string) error {
	dial, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	o := limits()
	nc, left, res, err := handshake.Dial(dial, url, &handshake.DialOptions{Deflate: o.Deflate})
	if err != nil {
		return err
	}
	over := make(chan struct{})
	c, err := r.Adopt(nc, left, res, wsproto.Client)
	if err != nil {
		return err
	}
	if err := c.Do(func(c server.LoopConn) {
		if c.Ended() {
			close(over)
		} else {
			c.SetValue(over)
		}
	}); err != nil {
		return nil // it has ended
	}
	select {
	case <-over:
	case <-ctx.Done():
	}
	return nil
}
