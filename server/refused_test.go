package server

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// Who is refused, and who connects for nothing, is told of.
func TestRefusedAndUnused(t *testing.T) {
	type refusal struct {
		path   string
		status int
		reason string
	}
	refused, unused := make(chan refusal, 9), make(chan netip.Addr, 9)
	ts := start(t, Config{
		Handler: funcs{},
		Admit: func(r *http.Request) (any, error) {
			if r.URL.Path == "/no" {
				return nil, errors.New("not you")
			}
			return nil, nil
		},
		Refused: func(r *http.Request, status int, reason string) { refused <- refusal{r.URL.Path, status, reason} },
		Unused:  func(peer netip.Addr) { unused <- peer },
	})
	for _, c := range []struct {
		request string
		want    refusal
	}{
		{"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n", refusal{"/plain", 400, "missing Upgrade header, want websocket"}},
		{"GET /no HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", refusal{"/no", 403, "not you"}},
	} {
		nc, err := net.Dial("tcp", ts.addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.Write([]byte(c.request))
		if got := <-refused; got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
		nc.Close()
	}
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if got := <-unused; got != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("unused by %v", got)
	}
	select {
	case got := <-unused:
		t.Errorf("a connection with a request was unused by %v", got)
	default:
	}
}

// The log does not call a request for something else an upgrade.
func TestRefusedRequestInLog(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, MaxRequestRatePerAddress: 1, HTTP: http.NewServeMux()})
	for range 2 {
		ask(t, ts.addr, "GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	}
	waitFor(t, func() bool { return strings.Contains(ts.log.String(), "path=/page") })
	if log := ts.log.String(); !strings.Contains(log, "request refused") || strings.Contains(log, "upgrade failed") {
		t.Errorf("log: %s", log)
	}
}
