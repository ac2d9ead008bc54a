package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// exchange sends a message and wants it back.
func exchange(ctx context.Context, c *wsconn.Conn) (string, error) {
	if err := c.Write(ctx, frame.Text, []byte("héllo")); err != nil {
		return "", err
	}
	_, p, err := c.Read(ctx)
	return string(p), err
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestServersEcho(t *testing.T) {
	for name, l := range libraries {
		t.Run(name, func(t *testing.T) {
			ctx := limit(t)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			ln.Close()
			go l.serve(addr) // for as long as the test program runs
			for {
				c, err := wsconn.Dial(ctx, "ws://"+addr+"/", nil)
				if err == nil {
					defer c.CloseNow()
					if got, err := exchange(ctx, c); err != nil || got != "héllo" {
						t.Errorf("%q came back, %v", got, err)
					}
					return
				}
				if ctx.Err() != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond) // it does not listen yet
			}
		})
	}
}

// A client dials what it is told to, echoes, and returns when the connection ends.
func TestClientsEcho(t *testing.T) {
	for name, l := range libraries {
		if l.echo == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			ctx := limit(t)
			type echoed struct {
				text string
				err  error
			}
			done := make(chan echoed, 1)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := wsconn.Accept(w, r, &wsconn.AcceptOptions{})
				if err != nil {
					done <- echoed{err: err}
					return
				}
				defer c.CloseNow()
				got, err := exchange(ctx, c)
				done <- echoed{got, err}
			}))
			defer s.Close()
			returned := make(chan error, 1)
			go func() { returned <- l.echo("ws" + strings.TrimPrefix(s.URL, "http") + "/") }()
			if e := <-done; e.err != nil || e.text != "héllo" {
				t.Fatalf("%q came back, %v", e.text, e.err)
			}
			select {
			case <-returned:
			case <-ctx.Done():
				t.Error("the client does not return after the end of its connection")
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for name, l := range libraries {
		if !strings.Contains(l.String(), " v") {
			t.Errorf("%s is %q, which has no version", name, l)
		}
	}
}
