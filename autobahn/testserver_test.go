package autobahn

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A server that is away when a case begins is waited for, for a time.
func TestServerComesBack(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		away  time.Duration
		err   error
		comes bool
	}{
		{0, refused, true},
		{time.Second, refused, true},
		{backTimeout + time.Second, refused, false},
		{time.Second, context.DeadlineExceeded, false}, // that is no refusal
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			target := &Target{DialContext: func(context.Context, string, string) (net.Conn, error) {
				if time.Since(begun) < c.away {
					return nil, c.err
				}
				ours, theirs := net.Pipe()
				theirs.Close()
				return ours, nil
			}}
			target.url = mustTarget(t, "ws://127.0.0.1:9001/").url
			nc, err := target.dialAgain(t.Context(), &Options{})
			if took := time.Since(begun); (err == nil) != c.comes || took > backTimeout || c.comes && took < c.away {
				t.Errorf("away for %v with %v: %v after %v", c.away, c.err, err, took)
			}
			if nc != nil {
				nc.Close()
			}
		})
	}
}

func mustTarget(t *testing.T, url string) *Target {
	t.Helper()
	target, err := ParseTarget(url)
	if err != nil {
		t.Fatal(err)
	}
	return target
}
