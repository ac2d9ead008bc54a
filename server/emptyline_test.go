package server

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// RFC 9112 §2.2, row S35 of package handshake: empty lines before the first request
// are skipped, however they arrive, but not without end.
func TestEmptyLineBeforeRequest(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}})
	for before, status := range map[string]int{
		"": 101, "\r\n": 101, "\n": 101, "\r\n\r\n": 101, "\r\n\r\n\r\n": 400, " \r\n": 400, "\r\nx\r\n": 400,
	} {
		if resp, _ := ask(t, ts.addr, before+upgradeRequest("/", "")); resp.StatusCode != status {
			t.Errorf("after %q: %s; want %d", before, resp.Status, status)
		}
	}
}

func TestEmptyLineInPieces(t *testing.T) {
	for text, want := range map[string]string{
		"\r\nGET": "GET", "\r\n\r\nGET\r\n": "GET\r\n", "G\r\n": "G\r\n", "\r\n": "", "": "", "\r\n\r\n\r\nG": "\r\nG",
	} {
		for name, r := range map[string]io.Reader{
			"whole":        strings.NewReader(text),
			"byte by byte": iotest.OneByteReader(strings.NewReader(text)),
			"with the end": iotest.DataErrReader(strings.NewReader(text)),
		} {
			a := &accepted{s: new(Server), Conn: readerConn{Reader: r}, empty: maxEmptyLines}
			if got, err := io.ReadAll(a); string(got) != want || err != nil {
				t.Errorf("%q %s: %q, %v; want %q", text, name, got, err, want)
			}
		}
	}
}

// readerConn is a connection of which only Read is used.
type readerConn struct {
	net.Conn
	io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// Where net/http reads what nobody has looked at, it refuses the line: under TLS,
// and under another's http.Server.
func TestEmptyLineElsewhere(t *testing.T) {
	ts, o, _ := startTLS(t, Config{Handler: funcs{}})
	tc, err := tls.Dial("tcp", ts.addr, &tls.Config{RootCAs: o.TLSConfig.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	defer tc.Close()
	foreign := httptest.NewServer(start(t, Config{Handler: funcs{}}))
	defer foreign.Close()
	nc, err := net.Dial("tcp", foreign.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for name, nc := range map[string]net.Conn{"TLS": tc, "foreign": nc} {
		nc.SetDeadline(time.Now().Add(patience))
		io.WriteString(nc, "\r\n"+upgradeRequest("/", ""))
		got, _ := io.ReadAll(nc)
		if !bytes.HasPrefix(got, []byte("HTTP/1.1 400 ")) {
			t.Errorf("%s: %q, want %d", name, got, http.StatusBadRequest)
		}
	}
}
