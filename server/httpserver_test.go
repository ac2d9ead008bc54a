package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener accepts connections of net.Pipe, which a bubble of synctest can wait for.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (ln *pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-ln.conns:
		return nc, nil
	case <-ln.closed:
		return nil, net.ErrClosed
	}
}

func (ln *pipeListener) Close() error {
	close(ln.closed)
	return nil
}

func (ln *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (ln *pipeListener) dial() net.Conn {
	near, far := net.Pipe()
	ln.conns <- near
	return far
}

// serveBubble serves cfg on pipes, in a bubble.
func serveBubble(t *testing.T, cfg Config) (*Server, *pipeListener) {
	t.Helper()
	cfg.newKernel = func() (kernel, error) { return newPortable(), nil }
	cfg.Loops = 1
	if cfg.Handler == nil {
		cfg.Handler = funcs{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln := newPipeListener()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	synctest.Wait()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		if err := <-served; err != ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, ln
}

// An application's own requests may take any time: an upload, an event stream, a handler
// that thinks; and the connection is used again afterwards.
func TestHTTPTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("/up", func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("the upload: %v", err)
			}
			w.Write(b)
		})
		mux.HandleFunc("/down", func(w http.ResponseWriter, r *http.Request) {
			for range 35 {
				if _, err := io.WriteString(w, "x"); err != nil {
					t.Errorf("the stream: %v", err)
				}
				http.NewResponseController(w).Flush()
				time.Sleep(time.Second)
			}
		})
		mux.HandleFunc("/think", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				t.Errorf("the request's context ends: %v", context.Cause(r.Context()))
			case <-time.After(5 * time.Minute):
			}
			io.WriteString(w, "well")
		})
		_, ln := serveBubble(t, Config{HTTP: mux, HandshakeTimeout: time.Second})
		nc := ln.dial()
		defer nc.Close()
		br := bufio.NewReader(nc)
		want := func(body string) {
			t.Helper()
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); string(b) != body || err != nil {
				t.Errorf("%s %q, %v; want %q", resp.Status, b, err, body)
			}
		}
		for range 2 {
			io.WriteString(nc, "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 70\r\n\r\n")
			for range 7 {
				time.Sleep(time.Second)
				io.WriteString(nc, "0123456789")
			}
			want(strings.Repeat("0123456789", 7))
			time.Sleep(time.Minute) // idle
			io.WriteString(nc, "GET /down HTTP/1.1\r\nHost: h\r\n\r\n")
			want(strings.Repeat("x", 35))
			io.WriteString(nc, "GET /think HTTP/1.1\r\nHost: h\r\n\r\n")
			want("well")
		}
	})
}

// What net/http does for a request when its handler has returned is bounded.
func TestHTTPEndsAfterHandler(t *testing.T) {
	for name, request := range map[string]string{
		"an answer that nobody reads": "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"a body that does not end":    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 70\r\n\r\n0",
		"a refused body":              "POST /ws HTTP/1.1\r\nHost: h\r\nContent-Length: 70\r\n\r\n0",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := http.NewServeMux()
				mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
				s, ln := serveBubble(t, Config{HTTP: mux})
				mux.Handle("/ws", s)
				nc := ln.dial()
				defer nc.Close()
				io.WriteString(nc, request)
				if strings.HasPrefix(request, "POST") {
					go io.Copy(io.Discard, nc)
				}
				time.Sleep(refusalTimeout + time.Second)
				synctest.Wait()
				if n := s.http.open(); n != 0 {
					t.Errorf("%d connections are open", n)
				}
			})
		})
	}
}

// The header's time and the handshake's limits are kept where only handshakes arrive.
func TestHandshakeHasItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ln := serveBubble(t, Config{})
		nc := ln.dial()
		defer nc.Close()
		go io.WriteString(nc, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 70\r\n\r\n")
		go io.Copy(io.Discard, nc)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if n := s.http.open(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
}

// Cookies of 20 KB are refused where only handshakes arrive, or the program says so.
func TestHTTPHeaderLimit(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	for name, c := range map[string]struct {
		cfg    Config
		status int
	}{
		"application": {Config{HTTP: page}, 200},
		"handshakes":  {Config{}, 431},
		"own limit":   {Config{HTTP: page, HTTPServer: func(hs *http.Server) { hs.MaxHeaderBytes = 10 << 10 }}, 431},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Handler = funcs{}
			ts := start(t, c.cfg)
			resp, _ := ask(t, ts.addr, "GET / HTTP/1.1\r\nHost: h\r\nCookie: "+strings.Repeat("x", 20_000)+"\r\n\r\n")
			if resp.StatusCode != c.status {
				t.Errorf("%s; want %d", resp.Status, c.status)
			}
		})
	}
}

// The panic of an HTTP handler is an error in the log, once, with the request.
func TestHTTPPanic(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("boom")
	})})
	for _, path := range []string{"/abort", "/page"} {
		v := ts.visit(t)
		io.WriteString(v.nc, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		v.ended()
	}
	log := ts.log.String()
	if strings.Count(log, "boom") != 1 || !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "path=/page") || strings.Contains(log, "/abort") {
		t.Errorf("the log:\n%s", log)
	}
}

// What net/http logs is warned of, except what strangers cause.
func TestHTTPLog(t *testing.T) {
	var b strings.Builder
	l := httpLog{slog.New(slog.NewTextHandler(&b, nil))}
	l.Write([]byte("http: TLS handshake error from 127.0.0.1:1: EOF\n"))
	l.Write([]byte("http: superfluous response.WriteHeader call\n"))
	if log := b.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "superfluous") {
		t.Errorf("%s", log)
	}
}

// Shutdown lets the requests in flight be answered, and closes connections without one at
// once.
func TestShutdownAnswersRequests(t *testing.T) {
	st := newSite(t, Config{})
	busy, idle, silent := st.visit(t), st.visit(t), st.visit(t)
	io.WriteString(busy.nc, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	receive(t, st.entered)
	idle.wants("/page", "page")
	waitFor(t, func() bool { return st.idle() == 1 && st.Stats().Handshaking == 3 })
	done := make(chan error, 1)
	go func() { done <- st.Shutdown(t.Context()) }()
	idle.ended()
	silent.ended()
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(st.leave)
	resp, err := http.ReadResponse(busy.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); string(b) != "slow" || err != nil || !resp.Close {
		t.Errorf("%q, %v, close %v", b, err, resp.Close)
	}
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
}

// When its time is over, Shutdown cuts them and says so.
func TestShutdownCutsRequests(t *testing.T) {
	opened := make(chan Conn, 1)
	st := newSite(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	defer close(st.leave)
	st.dial(t, "/") // never answers a Close
	receive(t, opened)
	busy := []*visitor{st.visit(t), st.visit(t)}
	for _, v := range busy {
		io.WriteString(v.nc, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
		receive(t, st.entered)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := st.Shutdown(ctx)
	if err == nil || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 connections and 2 HTTP requests were cut") {
		t.Errorf("%v", err)
	}
	for _, v := range busy {
		v.ended()
	}
}

// Connections that a handler took over are no requests: Shutdown does not wait for them.
func TestShutdownLeavesHijacked(t *testing.T) {
	taken := make(chan net.Conn, 1)
	ts := start(t, Config{Handler: funcs{}, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
		}
		taken <- nc
	})})
	v := ts.visit(t)
	io.WriteString(v.nc, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
	nc := receive(t, taken)
	defer nc.Close()
	if err := ts.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	io.WriteString(nc, "still here\n")
	if line, err := v.br.ReadString('\n'); line != "still here\n" {
		t.Errorf("%q, %v", line, err)
	}
}
