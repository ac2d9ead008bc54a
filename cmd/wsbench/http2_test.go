package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
	_ "github.com/hawser-ws/hawser/wsproto/wsconn/enablehttp2"
)

// WebSockets on streams of HTTP/2 connections, with TLS and without, are checked like all
// others.
func TestHTTP2(t *testing.T) {
	for name, secure := range map[string]bool{"ws": false, "wss": true} {
		t.Run(name, func(t *testing.T) {
			protocols := make(chan string, 200)
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				protocols <- r.Proto
				c, err := wsconn.Accept(w, r, &wsconn.AcceptOptions{Deflate: &handshake.DeflateOptions{}})
				if err != nil {
					return
				}
				defer c.CloseNow()
				for {
					op, p, err := c.Read(r.Context())
					if err != nil || c.Write(r.Context(), op, p) != nil {
						return
					}
				}
			}))
			srv.EnableHTTP2 = true
			args := []string{"echo", "--http2", "--conns", "20", "--inflight", "2", "--warmup", "0s", "--duration", "300ms", "--deflate", "--quiet"}
			if secure {
				srv.StartTLS()
				args = append(args, "--insecure")
			} else {
				srv.Config.Protocols = new(http.Protocols)
				srv.Config.Protocols.SetUnencryptedHTTP2(true)
				srv.Start()
			}
			defer srv.Close()
			url := name + srv.URL[strings.Index(srv.URL, ":"):] + "/"
			file := filepath.Join(t.TempDir(), "r.json")
			status, out, errs := wsbench(t, append(args, "--url", url, "--json", file)...)
			if status != exitGood || !strings.Contains(out, "20 of 20") || !strings.Contains(out, "over HTTP/2") {
				t.Errorf("status %d\n%s%s", status, out, errs)
			}
			r, err := result.Load(file)
			if err != nil || r.Total.Received == 0 || r.Total.Broken > 0 || r.Faults.Total() > 0 {
				t.Errorf("%v: %+v", err, r)
			}
			for range 21 { // with the probe
				if p := <-protocols; p != "HTTP/2.0" {
					t.Errorf("a request of %s", p)
				}
			}
		})
	}
}

// A server without HTTP/2, or without RFC 8441, is told from one that is not there.
func TestNoHTTP2(t *testing.T) {
	_, url := serve(t, nil)
	status, _, errs := wsbench(t, "echo", "--http2", "--url", url+"/", "--inflight", "1", "--quiet", "--connect-timeout", "5s")
	if status != exitNoRun || !strings.Contains(errs, "needs a server that speaks HTTP/2") {
		t.Errorf("status %d: %s", status, errs)
	}
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	status, _, errs = wsbench(t, "echo", "--http2", "--insecure", "--url", "wss"+srv.URL[strings.Index(srv.URL, ":"):]+"/", "--inflight", "1", "--quiet")
	if status != exitNoRun || !strings.Contains(errs, "needs a server that speaks HTTP/2") {
		t.Errorf("status %d: %s", status, errs)
	}
}
