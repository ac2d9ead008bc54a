package autobahn

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// A server that is away when a case begins is waited for.
func TestServerComesBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	target, err := ParseTarget("ws://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	opt := &Options{TimeScale: 10}
	back := make(chan net.Listener, 1)
	go func() {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Error(err)
		}
		back <- ln
	}()
	nc, err := target.dialAgain(context.Background(), opt)
	if ln := <-back; ln != nil {
		defer ln.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	ln, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if target, err = ParseTarget("ws://" + ln.Addr().String() + "/"); err != nil {
		t.Fatal(err)
	}
	if nc, err := target.dialAgain(context.Background(), &Options{TimeScale: 1e-6}); err == nil {
		nc.Close()
		t.Error("connected to nobody")
	}
}

// A run that is interrupted has the results that there were, and none of the cases
// that it cut off.
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
