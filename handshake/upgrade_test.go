package handshake

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hello is the opening handshake of RFC 6455 §1.2, without its end.
const hello = "GET /chat HTTP/1.1\r\n" +
	"Host: good.example\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Version: 13\r\n"

// with is a handshake with more header lines.
func with(lines ...string) string {
	return hello + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// edit is a handshake in which old became new.
func edit(t *testing.T, old, new string) string {
	t.Helper()
	if strings.Count(hello, old) != 1 {
		t.Fatalf("%q is not in the handshake once", old)
	}
	return strings.Replace(hello, old, new, 1) + "\r\n"
}

// outcome is what Upgrade returned.
type outcome struct {
	nc   net.Conn
	left []byte
	res  Result
	err  error
}

// serve upgrades every request of a real server on loopback.
func serve(t testing.TB, u *Upgrader) (addr string, outcomes <-chan outcome) {
	t.Helper()
	srv, outcomes := upgrading(t, u)
	srv.Start()
	return srv.Listener.Addr().String(), outcomes
}

// upgrading is such a server, not started.
func upgrading(t testing.TB, u *Upgrader) (*httptest.Server, <-chan outcome) {
	ch := make(chan outcome, 16)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o outcome
		o.nc, o.left, o.res, o.err = u.Upgrade(w, r)
		if o.nc != nil {
			t.Cleanup(func() { o.nc.Close() })
		}
		ch <- o
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(srv.Close)
	return srv, ch
}

// reply is a parsed response and its connection.
type reply struct {
	*http.Response
	body string
	nc   net.Conn
	rest *bufio.Reader // what follows the head
}

// send writes raw to addr and reads the response. The deadline only keeps a
// broken server from hanging the test.
func send(t *testing.T, addr string, raw ...string) reply {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	for _, piece := range raw {
		if _, err := io.WriteString(nc, piece); err != nil {
			t.Fatal(err)
		}
	}
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("read response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return reply{resp, string(body), nc, br}
}

// assertUpgrade sends raw and requires a connection.
func assertUpgrade(t *testing.T, u *Upgrader, raw ...string) (reply, outcome) {
	t.Helper()
	addr, outcomes := serve(t, u)
	rep := send(t, addr, raw...)
	if rep.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d, want 101; body %q", rep.StatusCode, rep.body)
	}
	o := <-outcomes
	if o.err != nil {
		t.Fatalf("Upgrade: %v", o.err)
	}
	return rep, o
}

// assertRefusal sends raw and requires status, a reason that holds every one of
// mention, the same reason in Upgrade's error, and the connection closed.
func assertRefusal(t *testing.T, u *Upgrader, raw string, status int, mention ...string) reply {
	t.Helper()
	addr, outcomes := serve(t, u)
	rep := send(t, addr, raw)
	if rep.StatusCode != status {
		t.Fatalf("status %d, want %d; body %q", rep.StatusCode, status, rep.body)
	}
	for _, m := range mention {
		if !strings.Contains(rep.body, m) {
			t.Errorf("body %q does not mention %q", rep.body, m)
		}
	}
	if got := rep.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if !rep.Close {
		t.Error("no Connection: close")
	}
	if rest, err := io.ReadAll(rep.rest); len(rest) > 0 || err != nil {
		t.Errorf("after the refusal: %q, %v; want the connection closed", rest, err)
	}
	var refusal *Error
	if o := <-outcomes; o.nc != nil || !errors.As(o.err, &refusal) {
		t.Fatalf("Upgrade returned %v, %v; want an *Error", o.nc, o.err)
	}
	if refusal.Status != status || refusal.Reason != strings.TrimSpace(rep.body) {
		t.Errorf("Upgrade returned %v, but the client read %q", refusal, rep.body)
	}
	return rep
}

func TestUpgradeAnswer(t *testing.T) {
	rep, o := assertUpgrade(t, &Upgrader{}, hello+"\r\n")
	rep.Header.Del("Date")
	want := http.Header{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
	}
	if d := cmp.Diff(want, rep.Header); d != "" {
		t.Errorf("response header (-want +got):\n%s", d)
	}
	if d := cmp.Diff(Result{}, o.res); d != "" || o.left != nil {
		t.Errorf("left %q, Result (-want +got):\n%s", o.left, d)
	}

	// Both ways across the connection that was handed over.
	for _, pair := range [][2]net.Conn{{rep.nc, o.nc}, {o.nc, rep.nc}} {
		if _, err := pair[0].Write([]byte("ahoy")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(pair[1], got); err != nil || string(got) != "ahoy" {
			t.Errorf("read %q, %v", got, err)
		}
	}
}

// The head on the wire has the RFC's spelling of its names.
func TestUpgradeSpelling(t *testing.T) {
	w := newHijackable()
	defer w.close()
	for _, name := range []string{"Upgrade", "Sec-WebSocket-Accept", protocolHeader, "X-Other"} { // of middleware
		w.header[name] = []string{"1"}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		keyHeader: {"dGhlIHNhbXBsZSBub25jZQ=="}, versionHeader: {"13"}, protocolHeader: {"chat"},
	}
	if _, _, _, err := (&Upgrader{Subprotocols: []string{"chat"}}).Upgrade(w, r); err != nil {
		t.Fatal(err)
	}
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\nX-Other: 1\r\n\r\n"
	if d := cmp.Diff(want, string(w.nc.(*sink).written)); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
}

func TestUpgradeAccepts(t *testing.T) {
	lines := make([]string, defaultMaxHeaders-5)
	for i := range lines {
		lines[i] = "X-Filler: x"
	}
	for name, raw := range map[string]string{
		"H09 Connection list":       edit(t, "Connection: Upgrade", "Connection: keep-alive, Upgrade"),
		"H09 Upgrade case":          edit(t, "Upgrade: websocket", "Upgrade: WebSocket"),
		"Upgrade list":              edit(t, "Upgrade: websocket", "Upgrade: h2c ,\twebsocket"),
		"Upgrade over two lines":    edit(t, "Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket"),
		"Connection over two lines": edit(t, "Connection: Upgrade", "Connection: keep-alive\r\nConnection: ,uPGRADE,"),
		"Connection close":          edit(t, "Connection: Upgrade", "Connection: close, Upgrade"),
		"H12 bare LF":               strings.ReplaceAll(hello, "\r\n", "\n") + "\n",
		"H12 obs-fold":              edit(t, "Upgrade: websocket", "Upgrade:\r\n websocket"),
		"100 header lines":          with(lines...),
		"extensions":                with("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-other"),
		"subprotocols unknown":      with("Sec-WebSocket-Protocol: chat"),
		"A02 no Origin":             with("X-Origin: http://evil.example"),
	} {
		t.Run(name, func(t *testing.T) {
			rep, o := assertUpgrade(t, &Upgrader{}, raw)
			if got := rep.Header["Connection"]; !cmp.Equal(got, []string{"Upgrade"}) {
				t.Errorf("Connection %q", got)
			}
			for _, absent := range []string{protocolHeader, extensionsHeader} {
				if got, ok := rep.Header[absent]; ok {
					t.Errorf("%s %q, want none", absent, got)
				}
			}
			if o.left != nil || o.res.Subprotocol != "" {
				t.Errorf("left %q, subprotocol %q", o.left, o.res.Subprotocol)
			}
		})
	}
}

// Whole, and byte by byte.
func TestUpgradeSplit(t *testing.T) {
	_, o := assertUpgrade(t, &Upgrader{}, strings.Split(hello+"\r\n", "")...)
	if o.left != nil {
		t.Errorf("left %q", o.left)
	}
}

func TestUpgradeLeft(t *testing.T) {
	frame := "\x81\x82\x01\x02\x03\x04ik"
	t.Run("H16 frame glued", func(t *testing.T) {
		_, o := assertUpgrade(t, &Upgrader{}, hello+"\r\n"+frame)
		if string(o.left) != frame {
			t.Errorf("left %q, want %q", o.left, frame)
		}
	})
	t.Run("H17 half a frame glued", func(t *testing.T) {
		rep, o := assertUpgrade(t, &Upgrader{}, hello+"\r\n"+frame[:3])
		if string(o.left) != frame[:3] {
			t.Errorf("left %q, want %q", o.left, frame[:3])
		}
		io.WriteString(rep.nc, frame[3:])
		rest := make([]byte, len(frame)-3)
		if _, err := io.ReadFull(o.nc, rest); err != nil || string(rest) != frame[3:] {
			t.Errorf("then read %q, %v; want %q", rest, err, frame[3:])
		}
	})
	t.Run("H16 more than a read-ahead", func(t *testing.T) {
		frames := strings.Repeat(frame, 4096)
		_, o := assertUpgrade(t, &Upgrader{}, hello+"\r\n"+frames)
		got := make([]byte, len(frames))
		n := copy(got, o.left)
		if _, err := io.ReadFull(o.nc, got[n:]); err != nil || string(got) != frames {
			t.Errorf("left and read differ from what was sent: %v", err)
		}
	})
}

// Bytes that arrive while the handler runs are read by net/http in the
// background, and must not get lost between it and nc.
func TestUpgradeLeftDuringHandler(t *testing.T) {
	entered, proceed := make(chan bool), make(chan bool)
	u := &Upgrader{Header: func(*http.Request) http.Header {
		entered <- true
		<-proceed
		return nil
	}}
	addr, outcomes := serve(t, u)
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, hello+"\r\n")
	<-entered
	io.WriteString(nc, "abc")
	proceed <- true
	o := <-outcomes
	if o.err != nil {
		t.Fatal(o.err)
	}
	got := make([]byte, 3)
	n := copy(got, o.left)
	if _, err := io.ReadFull(o.nc, got[n:]); err != nil || string(got) != "abc" {
		t.Errorf("left %q, then %q, %v; want abc", o.left, got[n:], err)
	}
}

func TestUpgradeExtraHeader(t *testing.T) {
	u := &Upgrader{Header: func(r *http.Request) http.Header {
		return http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-Path": {r.URL.Path}}
	}}
	rep, _ := assertUpgrade(t, u, hello+"\r\n")
	if d := cmp.Diff([]string{"a=1", "b=2"}, rep.Header["Set-Cookie"]); d != "" {
		t.Errorf("Set-Cookie (-want +got):\n%s", d)
	}
	if got := rep.Header.Get("X-Path"); got != "/chat" {
		t.Errorf("X-Path %q", got)
	}
}

// A hook's mistake is the server's: 500, nothing of it on the wire, and all of
// it in the error.
func TestUpgradeHookFaults(t *testing.T) {
	extra := func(name, value string) *Upgrader {
		return &Upgrader{Header: func(*http.Request) http.Header { return http.Header{name: {value}} }}
	}
	for name, c := range map[string]struct {
		u       *Upgrader
		mention string
	}{
		"CR LF in a value":      {extra("X-A", "1\r\nX-Injected: 1"), "X-A contains a control character at byte 1"},
		"LF in a value":         {extra("X-A", "\nX-Injected: 1"), "X-A contains a control character at byte 0"},
		"NUL in a value":        {extra("X-A", "1\x00"), "X-A"},
		"DEL in a value":        {extra("X-A", "1\x7f"), "X-A"},
		"CR LF in a name":       {extra("X-A: 1\r\nX-Injected", "1"), `"X-A: 1\r\nX-Injected" is not a header name`},
		"empty name":            {extra("", "1"), `"" is not a header name`},
		"Connection":            {extra("Connection", "close"), "Connection is set by the handshake itself"},
		"Upgrade, other case":   {extra("upgrade", "h2c"), "upgrade is set by"},
		"Sec-WebSocket-Accept":  {extra("Sec-WebSocket-Accept", "x"), "Sec-WebSocket-Accept is set by"},
		"Content-Length":        {extra("Content-Length", "5"), "Content-Length is set by"},
		"Transfer-Encoding":     {extra("Transfer-Encoding", "chunked"), "Transfer-Encoding is set by"},
		"Trailer":               {extra("Trailer", "X"), "Trailer is set by"},
		"subprotocol unoffered": {&Upgrader{Subprotocol: func(*http.Request, []string) string { return "x" }}, "Sec-WebSocket-Protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, outcomes := serve(t, c.u)
			rep := send(t, addr, hello+"\r\n")
			if rep.StatusCode != 500 || rep.body != "Internal Server Error\n" || rep.Header.Get("X-Injected") != "" {
				t.Errorf("status %d, header %v, body %q", rep.StatusCode, rep.Header, rep.body)
			}
			var refusal *Error
			if o := <-outcomes; !errors.As(o.err, &refusal) || !strings.Contains(o.err.Error(), c.mention) {
				t.Errorf("error %v does not mention %q", o.err, c.mention)
			}
		})
	}
}
