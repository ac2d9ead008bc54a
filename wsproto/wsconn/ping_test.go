package wsconn

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pair(t, nil)
		c.CloseRead(context.Background())
		first := started(func() error { return c.Ping(bounded(t)) })
		p.expect(`ping "1"`)
		// C12: a pong that nobody asked for answers nothing.
		for _, s := range []string{"", "x", "0", "2", "99999999999999999999"} {
			p.frame(0x8a, s)
		}
		second := started(func() error { return c.Ping(bounded(t)) })
		p.expect(`ping "2"`)
		select {
		case err := <-first:
			t.Fatalf("Ping = %v before its pong", err)
		default:
		}
		p.frame(0x8a, "2") // stands for both
		for _, pinged := range []<-chan error{first, second} {
			if err := receive(t, pinged); err != nil {
				t.Errorf("Ping = %v", err)
			}
		}

		ctx, cancel := context.WithCancel(context.Background())
		third := started(func() error { return c.Ping(ctx) })
		p.expect(`ping "3"`)
		cancel()
		if err := receive(t, third); err != context.Canceled {
			t.Errorf("Ping = %v; want context.Canceled", err)
		}
		fourth := started(func() error { return c.Ping(bounded(t)) })
		p.expect(`ping "4"`)
		c.mu.Lock()
		if len(c.pings) != 1 {
			t.Errorf("%d pings wait; want 1", len(c.pings))
		}
		c.mu.Unlock()
		p.frame(0x88, "\x03\xe9")
		if err := receive(t, fourth); !errors.As(err, new(*CloseError)) {
			t.Errorf("Ping = %v; want a CloseError", err)
		}
	})
}
