package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hawser-ws/hawser/frame"
)

// greets is a Handler whose connections are told its name.
func greets(name string) Handler {
	return funcs{open: func(c LoopConn) { c.Send(frame.Text, []byte(name)) }}
}

// Serve gives requests to the endpoint that has their path, and only others to Config.HTTP,
// whichever way they come.
func TestEndpointPath(t *testing.T) {
	var states atomic.Int32
	for how, cfg := range map[string]Config{
		"loops":            {},
		"net/http":         onlyHTTP(Config{}),
		"program is asked": {HTTPServer: func(hs *http.Server) { hs.ConnState = func(net.Conn, http.ConnState) { states.Add(1) } }},
		"short heads":      {HTTPServer: func(hs *http.Server) { hs.MaxHeaderBytes = 1 }},
	} {
		t.Run(how, func(t *testing.T) {
			cfg.Handler, cfg.Paths = greets("Config's own"), []string{"/own"}
			cfg.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
			ts := startWith(t, cfg, func(s *Server) {
				s.Endpoint(Endpoint{Paths: []string{"/ws", "/wss"}, Handler: greets("loops'")})
				s.Endpoint(Endpoint{Paths: []string{"/admit"}, Handler: greets("admitted"), Admit: pathValue})
			})
			for path, want := range map[string]string{"/ws": "loops'", "/ws?a=b": "loops'", "/wss": "loops'", "/admit": "admitted", "/own": "Config's own"} {
				ts.dial(t, path).expect(`text "` + want + `"`)
			}
			for _, path := range []string{"/", "/ws/", "/wS", "/w%73/"} {
				if resp, body := ask(t, ts.addr, upgradeRequest(path, "")); body != "page" {
					t.Errorf("%s: %s %q", path, resp.Status, body)
				}
			}
			if resp, _ := ask(t, ts.addr, "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 400 {
				t.Errorf("no handshake: %s", resp.Status)
			}
			if resp, _ := ask(t, ts.addr, upgradeRequest("/w%73", "")); resp.StatusCode != 101 {
				t.Errorf("escaped: %s", resp.Status)
			}
			if n, want := ts.Stats().HandshakesOnLoops, how == "loops" || how == "short heads"; (n > 0) != want && !onGoroutines() {
				t.Errorf("loops have answered %d; want some: %v", n, want)
			}
		})
	}
	if states.Load() == 0 {
		t.Error("ConnState was not called")
	}
}

// What net/http would refuse for its length, a loop does not accept.
func TestEndpointPathShortHead(t *testing.T) {
	ts := startWith(t, Config{Handler: funcs{}, HTTP: http.NotFoundHandler(), HTTPServer: func(hs *http.Server) { hs.MaxHeaderBytes = 1 }}, func(s *Server) {
		s.Endpoint(Endpoint{Paths: []string{"/ws"}, Handler: funcs{}})
	})
	long := make([]byte, 5<<10)
	for i := range long {
		long[i] = 'x'
	}
	if resp, _ := ask(t, ts.addr, upgradeRequest("/ws", "A: "+string(long)+"\r\n")); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s; want 431", resp.Status)
	}
}

func TestEndpointPathTwice(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, Paths: []string{"/own"}})
	ts.Endpoint(Endpoint{Paths: []string{"/ws"}, Handler: funcs{}})
	for _, path := range []string{"/ws", "/own", "ws", ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("path %q is taken", path)
				}
			}()
			ts.Endpoint(Endpoint{Paths: []string{path}, Handler: funcs{}})
		}()
	}
	for _, paths := range [][]string{{"/ws", "/ws"}, {"ws"}} {
		if _, err := New(Config{Handler: funcs{}, Paths: paths}); err == nil || !strings.Contains(err.Error(), "Config.Paths") {
			t.Errorf("%q: %v", paths, err)
		}
	}
}
