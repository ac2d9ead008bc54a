package clients

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

const maxMessage = 4 << 20

func upgrader(compress bool) handshake.Upgrader {
	u := handshake.Upgrader{Subprotocols: []string{subprotocol}}
	if compress {
		u.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true}
	}
	return u
}

// ends receives how each connection of a server has ended.
type ends chan error

func newEnds() ends { return make(ends, 16) }

// A servant is one of hawser's servers: it sends messages back, and closes at the text "close" with
// 4001 "as asked".
type servant struct {
	url  string
	pool *x509.CertPool // nil: without TLS
	ends ends
}

// serveAccept serves with wsconn.Accept, under a server of net/http.
func serveAccept(t *testing.T, secure, compress bool) servant {
	e := newEnds()
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := upgrader(compress)
		c, err := wsconn.Accept(w, r, &wsconn.AcceptOptions{Subprotocols: u.Subprotocols, Deflate: u.Deflate, MaxMessage: maxMessage})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer c.CloseNow()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for {
			op, p, err := c.Read(ctx)
			if err != nil {
				e <- err
				return
			}
			if string(p) == "close" {
				e <- c.Close(4001, "as asked")
				return
			}
			if err := c.Write(ctx, op, p); err != nil {
				t.Errorf("write: %v", err)
			}
		}
	}))
	if secure {
		hs.StartTLS()
	} else {
		hs.Start()
	}
	t.Cleanup(hs.Close)
	return ofHTTP(hs, e)
}

func ofHTTP(hs *httptest.Server, e ends) servant {
	s := servant{url: "ws" + strings.TrimPrefix(hs.URL, "http"), ends: e}
	if hs.TLS != nil {
		s.pool = x509.NewCertPool()
		s.pool.AddCert(hs.Certificate())
	}
	return s
}

// echo is the reactor's handler.
type echo struct{ ends ends }

func (echo) OnOpen(server.LoopConn) {}

func (echo) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	if string(p) == "close" {
		c.Close(4001, "as asked")
		return
	}
	c.Send(op, p)
}

func (h echo) OnClose(_ server.LoopConn, err error) { h.ends <- err }

// serveReactor serves with server.Serve.
func serveReactor(t *testing.T, secure, compress bool) servant {
	e := newEnds()
	cfg := server.Config{Handler: echo{e}, Upgrader: upgrader(compress), MaxMessage: maxMessage, WriteQueue: 2 * maxMessage}
	s := servant{ends: e}
	scheme := "ws"
	if secure {
		scheme = "wss"
		own := httptest.NewUnstartedServer(nil) // for its certificate
		own.StartTLS()
		own.Close()
		cfg.TLS = &tls.Config{Certificates: own.TLS.Certificates}
		s.pool = x509.NewCertPool()
		s.pool.AddCert(own.Certificate())
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		srv.Shutdown(ctx)
	})
	s.url = scheme + "://" + ln.Addr().String()
	return s
}

// Every client talks with both of hawser's drivers, with and without TLS and compression.
func TestClients(t *testing.T) {
	for name, dial := range dialers {
		for driver, serve := range map[string]func(*testing.T, bool, bool) servant{"Accept": serveAccept, "reactor": serveReactor} {
			for _, secure := range []bool{false, true} {
				for _, compress := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/tls=%t/deflate=%t", name, driver, secure, compress), func(t *testing.T) {
						s := serve(t, secure, compress)
						converse(t, s, func() client {
							c, err := dial(s.url, &tls.Config{RootCAs: s.pool, ServerName: "127.0.0.1"}, compress)
							if err != nil {
								t.Fatal(err)
							}
							t.Cleanup(c.drop)
							return c
						})
					})
				}
			}
		}
	}
}

func converse(t *testing.T, s servant, dial func() client) {
	c := dial()
	if got := c.subprotocol(); got != subprotocol {
		t.Errorf("subprotocol %q", got)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 125, 126, 4096, 65535, 65536, 1 << 20} {
		for _, text := range []bool{true, false} {
			p := make([]byte, n)
			for i := range p {
				p[i] = 'a' + byte(rng.UintN(16))
			}
			if err := c.send(text, p); err != nil {
				t.Fatalf("send %d bytes: %v", n, err)
			}
			gotText, got, err := c.receive()
			if err != nil || gotText != text || !bytes.Equal(got, p) {
				t.Fatalf("sent %d bytes, text %t; got %d, text %t, %v", n, text, len(got), gotText, err)
			}
		}
	}
	if got, err := c.close(1000, "bye"); err != nil || got.code != 1000 {
		t.Errorf("the answer to a Close: %d %q, %v", got.code, got.reason, err)
	}
	c.drop()
	var end *wsproto.CloseError
	if err := s.end(t); !errors.As(err, &end) || end.Code != 1000 || end.Reason != "bye" || end.Local {
		t.Errorf("the server's end: %v", err)
	}

	c = dial()
	if err := c.send(true, []byte("close")); err != nil {
		t.Fatal(err)
	}
	if got, err := awaitClose(c); err != nil || got != (closed{4001, "as asked"}) {
		t.Errorf("the server's Close: %d %q, %v", got.code, got.reason, err)
	}
	c.drop()
	if err := s.end(t); err != nil && (!errors.As(err, &end) || end.Code != 4001 || !end.Local) {
		t.Errorf("the end of what the server closed: %v", err)
	}
}

func (s *servant) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ends:
		return err
	case <-time.After(patience):
		t.Fatal("the server has noticed no end")
		return nil
	}
}
