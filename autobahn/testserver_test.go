package autobahn

import (
	"context"
	"net"
	"testing"
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
