package wsconn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/hawser-ws/hawser/wsproto/wsconn"
)

type pingResult struct {
	trip time.Duration
	err  error
}

func TestPing(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		c.CloseRead(context.Background())
		ping := func() pingResult { trip, err := c.Ping(bounded(t)); return pingResult{trip, err} }
		first := started(ping)
		p.Expect(`ping "1"`)
		// C12: an unsolicited pong answers nothing.
		for _, s := range []string{"", "x", "0", "2", "99999999999999999999"} {
			p.Frame(0x8a, s)
		}
		time.Sleep(2 * time.Second)
		second := started(ping)
		p.Expect(`ping "2"`)
		select {
		case r := <-first:
			t.Fatalf("Ping = %v before its pong", r)
		default:
		}
		time.Sleep(time.Second)
		p.Frame(0x8a, "2") // stands for both
		for want, pinged := range map[time.Duration]<-chan pingResult{3 * time.Second: first, time.Second: second} {
			if r := receive(t, pinged); r.err != nil || r.trip != want {
				t.Errorf("Ping = %v, %v; want %v", r.trip, r.err, want)
			}
		}

		ctx, cancel := context.WithCancel(context.Background())
		third := started(func() error { _, err := c.Ping(ctx); return err })
		p.Expect(`ping "3"`)
		cancel()
		if err := receive(t, third); err != context.Canceled {
			t.Errorf("Ping = %v; want context.Canceled", err)
		}
		fourth := started(func() error { _, err := c.Ping(bounded(t)); return err })
		p.Expect(`ping "4"`)
		if n := c.PendingPings(); n != 1 {
			t.Errorf("%d pings wait; want 1", n)
		}
		p.Frame(0x88, "\x03\xe9")
		if err := receive(t, fourth); !errors.As(err, new(*CloseError)) {
			t.Errorf("Ping = %v; want a CloseError", err)
		}
	})
}
