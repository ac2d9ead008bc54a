package autobahn

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// If the server is away when a case begins, the tester waits for it for a time.
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

// A run that is interrupted has the results so far, and none for the cases that it
// cut off.
func TestServerInterrupted(t *testing.T) {
	all, _ := Cases(Suite)
	cases, err := Select(all, Server, []string{"H2.1", "H2.2", "H2.6"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		target, _ := ParseTarget("ws://127.0.0.1:9001/")
		n := 0
		target.DialContext = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			if n++; n == 1 {
				go func() {
					theirs.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
					io.Copy(io.Discard, theirs)
				}()
			} else {
				go func() { // nothing but the request's first byte is read
					theirs.Read(make([]byte, 1))
					cancel()
				}()
			}
			return ours, nil
		}
		done := 0
		results := TestServer(ctx, target, cases, &Options{Parallel: 1, Done: func(*Result) { done++ }})
		if len(results) != 1 || done != 1 || results[0].Case.ID != "H2.1" || results[0].Behavior != OK {
			t.Errorf("%d results, %d done", len(results), done)
		}
	})
}
