package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// needLoops skips tests of what only native kernels do.
func needLoops(t *testing.T) {
	t.Helper()
	k, err := testKernel()
	if err != nil {
		t.Fatal(err)
	}
	defer k.release()
	if !k.native() {
		t.Skip("net/http reads all handshakes here")
	}
}

// onlyHTTP makes net/http read every handshake.
func onlyHTTP(cfg Config) Config {
	cfg.Middleware = func(next http.Handler) http.Handler { return next }
	return cfg
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return nc
}

// H16, H17: a request with frames after it is served however it is cut in two.
func TestOpeningCut(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Handler: funcs{message: echo}, Upgrader: handshake.Upgrader{Subprotocols: []string{"chat"}}})
	raw := upgradeRequest("/", "Sec-WebSocket-Protocol: chat\r\n") + string(masked(0x81, "first")) + string(masked(0x81, "second"))
	for cut := 1; cut < len(raw); cut++ {
		nc := dialTCP(t, ts.addr)
		io.WriteString(nc, raw[:cut])
		arrived(t, nc)
		if cut%8 == 0 {
			ts.clock.settle()
		}
		io.WriteString(nc, raw[cut:])
		checkEchoes(t, nc, fmt.Sprintf("cut at %d", cut))
		nc.Close()
	}
	if ts.Stats().HandshakesOnLoops == 0 {
		t.Error("no loop has answered a request")
	}
}

func checkEchoes(t *testing.T, nc net.Conn, how string) {
	t.Helper()
	const want = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\nSec-WebSocket-Protocol: chat\r\n\r\n\x81\x05first\x81\x06second"
	got := make([]byte, len(want))
	if n, err := io.ReadFull(nc, got); string(got[:n]) != want {
		t.Fatalf("%s: received %q, %v; want %q", how, got[:n], err, want)
	}
}

// A request that comes byte by byte is net/http's sooner or later, with every byte.
func TestOpeningByteByByte(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}, Upgrader: handshake.Upgrader{Subprotocols: []string{"chat"}}})
	nc := dialTCP(t, ts.addr)
	for _, b := range []byte("\r\n" + upgradeRequest("/", "Sec-WebSocket-Protocol: chat\r\n") + string(masked(0x81, "first")) + string(masked(0x81, "second"))) {
		nc.Write([]byte{b})
		arrived(t, nc)
		ts.clock.settle()
	}
	checkEchoes(t, nc, "byte by byte")
}

// What is not accepted is answered by both ways with the same bytes.
func TestOpeningRefused(t *testing.T) {
	needLoops(t)
	good := upgradeRequest("/", "")
	long := "GET / HTTP/1.1\r\nHost: h\r\nA: "
	cases := map[string]string{
		"good": good, "POST": strings.Replace(good, "GET", "POST", 1), "no upgrade": "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.0": strings.Replace(good, "1.1", "1.0", 1),
		"HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "TLS": "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\r\n", "version": strings.Replace(good, "13", "8", 1), "key": strings.Replace(good, "==", "=", 1),
		"other page": upgradeRequest("/", "Origin: https://evil.example\r\n"), "body": upgradeRequest("/", "Content-Length: 3\r\n") + "abc", "no body": upgradeRequest("/", "Content-Length: 0\r\n"),
		"chunked": upgradeRequest("/", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", "expect": upgradeRequest("/", "Expect: 100-continue\r\n"), "expect other": upgradeRequest("/", "Expect: x\r\n"),
		"no host": strings.Replace(good, "Host: h\r\n", "", 1), "two hosts": upgradeRequest("/", "Host: h\r\n"), "bad name": upgradeRequest("/", "A B: c\r\n"), "NUL": upgradeRequest("/", "A: \x00\r\n"),
		"fold": upgradeRequest("/", "A: b\r\n c\r\n"), "bare LF": strings.ReplaceAll(good, "\r\n", "\n"), "bare CR": upgradeRequest("/", "A: b\rc\r\n"), "no colon": upgradeRequest("/", "A\r\n"),
		"lines": upgradeRequest("/", strings.Repeat("A: b\r\n", 100)), "long": long + strings.Repeat("x", 17<<10), "16 KiB": upgradeRequest("/", "A: "+strings.Repeat("x", 16<<10-len(upgradeRequest("/", "A: \r\n")))+"\r\n"),
		"16 KiB + 1": upgradeRequest("/", "A: "+strings.Repeat("x", 16<<10-len(upgradeRequest("/", "A: \r\n"))+1)+"\r\n"), "absolute": upgradeRequest("http://h/", ""), "empty lines": "\r\n\r\n" + good, "pipelined": "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + good,
		"refused": upgradeRequest("/refused", ""), "unknown": upgradeRequest("/unknown", ""), "asks for a name": upgradeRequest("/", "Sec-WebSocket-Protocol: chat, x\r\n"), "probe": upgradeRequest("/probe", ""),
		"half": good[:40], "half a line": good[:5], "nothing": "", "authority": upgradeRequest("//h/a", ""), "fragment": upgradeRequest("/a#b", ""), "percent": upgradeRequest("/a%zz", ""),
	}
	for how, cfg := range map[string]Config{
		"": {}, "full": {MaxConns: 1}, "address full": {MaxConnsPerAddress: 1}, "handshake rate": {MaxHandshakeRate: 1}, "request rate": {MaxRequestRatePerAddress: 1},
		"budget": {MemoryBudget: 1}, "listed": {Upgrader: handshake.Upgrader{Origins: []string{"https://good.example"}}},
		"judged": {Upgrader: askingUpgrader(), Admit: pickyAdmit, Probe: probeOf("/probe")}, "judged and full": {MaxConns: 1, Admit: pickyAdmit}, "judged and rate": {MaxRequestRatePerAddress: 1, Admit: pickyAdmit},
	} {
		cfg.Handler = funcs{message: echo}
		cases := cases
		if how != "" && how != "judged" { // most requests end before a limit is looked at
			cases = map[string]string{"good": good, "other page": cases["other page"], "no upgrade": cases["no upgrade"]}
		}
		loops, ref := start(t, cfg), start(t, onlyHTTP(cfg))
		for _, ts := range []*testServer{loops, ref} {
			if how != "" && how != "budget" && how != "listed" && how != "judged" {
				c := ts.dial(t, "/")
				c.text("x")
				c.expect(`text "x"`)
			}
			if how == "budget" {
				ts.budget.used.Store(2)
			}
		}
		for name, raw := range cases {
			want, got := answerOf(t, ref, raw), answerOf(t, loops, raw)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s, %s (-net/http +loops):\n%s", how, name, d)
			}
		}
		for _, ts := range []*testServer{loops, ref} {
			waitFor(t, func() bool { return ts.Stats().Handshaking == 0 })
		}
		if d := cmp.Diff([2]any{ref.Stats().Handshakes, ref.Stats().Limited}, [2]any{loops.Stats().Handshakes, loops.Stats().Limited}); d != "" {
			t.Errorf("%s: counted (-net/http +loops):\n%s", how, d)
		}
	}
}

// answerOf sends all of raw and nothing more, and returns what comes back. Whether the stream
// then ends or is reset depends on what net/http had not read of raw, and so on time.
func answerOf(t *testing.T, ts *testServer, raw string) string {
	t.Helper()
	nc := dialTCP(t, ts.addr)
	io.WriteString(nc, raw)
	return answerTo(nc)
}

// answerTo returns the answer to what was sent on a connection, on which nothing more comes.
func answerTo(nc net.Conn) string {
	nc.(*net.TCPConn).CloseWrite()
	b, _ := io.ReadAll(nc)
	nc.Close()
	head, rest, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	var lines []string
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			lines = append(lines, line)
		}
	}
	return fmt.Sprintf("%q %q", lines, rest)
}

// A connection whose request does not come in time is closed, and told of as unused. Its
// time runs from accept.
func TestOpeningDeadline(t *testing.T) {
	needLoops(t)
	unused := make(chan netip.Addr, 8)
	ts := start(t, Config{Handler: funcs{}, HandshakeTimeout: 5 * time.Second, Unused: func(a netip.Addr) { unused <- a }})
	var conns []net.Conn
	for _, sent := range []string{"", "GET / HT", upgradeRequest("/", "")[:60]} {
		nc := dialTCP(t, ts.addr)
		io.WriteString(nc, sent)
		arrived(t, nc)
		conns = append(conns, nc)
	}
	waitFor(t, func() bool { return ts.Stats().Handshaking == 3 && ts.arriving() == 3 })
	ts.clock.advance(4900 * time.Millisecond)
	if n := ts.Stats().Handshaking; n != 3 || len(unused) > 0 {
		t.Errorf("after 4.9 s: %d connections, %d unused; want 3, 0", n, len(unused))
	}
	ts.clock.advance(300 * time.Millisecond)
	for _, nc := range conns {
		if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
			t.Errorf("received %q, %v; want EOF", b, err)
		}
		if addr := receive(t, unused); addr != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("unused: %v", addr)
		}
	}
	if n := ts.Stats().Handshaking; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// arriving returns how many connections the loops are reading a request of.
func (ts *testServer) arriving() (n int) {
	for _, l := range ts.loops {
		l.call(func() { n += l.arriving })
	}
	return n
}

// deadlines records read deadlines.
type deadlines struct {
	net.Conn
	last time.Time
}

func (c *deadlines) SetReadDeadline(t time.Time) error { c.last = t; return nil }

// What is handed back has only the time that is left of its first request.
func TestOpeningDeadlineOfHTTP(t *testing.T) {
	due := time.Now()
	nc := &deadlines{}
	a := &accepted{s: new(Server), Conn: nc, due: due}
	for _, set := range []time.Time{{}, due.Add(time.Second), due} {
		if a.SetReadDeadline(set); nc.last != due {
			t.Errorf("deadline %v became %v; want %v", set, nc.last, due)
		}
	}
	earlier := due.Add(-time.Hour)
	if a.SetReadDeadline(earlier); nc.last != earlier {
		t.Errorf("an earlier deadline became %v", nc.last)
	}
	a.used.Store(true)
	if a.SetReadDeadline(time.Time{}); !nc.last.IsZero() {
		t.Errorf("after the first request, none became %v", nc.last)
	}
}

// The time that is left is counted from accept by the server's clock.
func TestOpeningDueAtHandBack(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Handler: funcs{}, HandshakeTimeout: time.Hour})
	nc := dialTCP(t, ts.addr)
	waitFor(t, func() bool { return ts.arriving() == 1 })
	ts.clock.advance(time.Second)
	var a *accepted
	for _, l := range ts.loops {
		l.call(func() {
			for c := range l.inSlots() {
				if c.phase == arriving {
					a = c.value.(*accepted)
				}
			}
		})
	}
	before := time.Now()
	io.WriteString(nc, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, _ := io.ReadAll(nc)
	if !bytes.HasPrefix(resp, []byte("HTTP/1.1 405 ")) {
		t.Fatalf("received %q", resp)
	}
	if left := a.due.Sub(before); left < time.Hour-2*time.Second || left > time.Hour {
		t.Errorf("%v are left of an hour", left)
	}
}

// A newcomer takes the place of the connection that has waited longest for its request.
func TestOpeningDisplaced(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Handler: funcs{message: echo}, MaxHTTPConns: 2, Unused: func(netip.Addr) { t.Error("told of as unused") }})
	first, second := dialTCP(t, ts.addr), dialTCP(t, ts.addr)
	waitFor(t, func() bool { return ts.arriving() == 2 })
	ts.clock.advance(headGrace)
	c := ts.dial(t, "/")
	c.text("x")
	c.expect(`text "x"`)
	if b, err := io.ReadAll(first); len(b) > 0 || err != nil {
		t.Errorf("received %q, %v; want EOF", b, err)
	}
	io.WriteString(second, upgradeRequest("/", ""))
	if _, err := io.ReadFull(second, make([]byte, 20)); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

// Shutdown closes what is arriving, and what arrives later.
func TestOpeningShutdown(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Handler: funcs{}})
	nc := dialTCP(t, ts.addr)
	io.WriteString(nc, "GET /")
	waitFor(t, func() bool { return ts.arriving() == 1 })
	if err := ts.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(nc); len(b) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("received %q, %v; want the end", b, err)
	}
	if n := ts.Stats().Handshaking; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// Serve returns when the application closes its listener, which then is closed.
func TestOpeningListenerClosed(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- ts.Serve(ln) }()
	nc := dialTCP(t, ln.Addr().String())
	io.WriteString(nc, upgradeRequest("/", ""))
	if _, err := io.ReadFull(nc, make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := receive(t, served); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v", err)
	}
	if nc, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		nc.Close()
		t.Error("it still accepts")
	}
}

func TestOpeningUnixSocket(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Handler: funcs{message: echo, open: func(c LoopConn) {
		if c.RemoteAddr().IsValid() {
			t.Errorf("remote address %v", c.RemoteAddr())
		}
	}}})
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go ts.Serve(ln)
	for range 3 {
		nc, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		io.WriteString(nc, upgradeRequest("/", ""))
		if _, err := io.ReadFull(nc, make([]byte, 20)); err != nil {
			t.Error(err)
		}
		defer nc.Close()
	}
	if ts.Stats().HandshakesOnLoops == 0 {
		t.Error("no loop has answered a request")
	}
}

// The client's address is what the kernel said at accept, over IPv4 and IPv6, and what
// Addr says of the connection.
func TestOpeningRemoteAddr(t *testing.T) {
	needLoops(t)
	remote := make(chan netip.AddrPort, 1)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { remote <- c.RemoteAddr() }}})
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Log(err)
			continue
		}
		go ts.Serve(ln)
		nc := dialTCP(t, ln.Addr().String())
		io.WriteString(nc, upgradeRequest("/", ""))
		if got := receive(t, remote); got.String() != nc.LocalAddr().String() {
			t.Errorf("RemoteAddr %v; want %v", got, nc.LocalAddr())
		}
	}
}

// AcceptRate holds for what the loops take.
func TestOpeningAcceptRate(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Handler: funcs{}, AcceptRate: 2, HandshakeTimeout: Off})
	for range 6 {
		dialTCP(t, ts.addr)
	}
	waitFor(t, func() bool { return ts.Stats().Handshaking == 2 && ts.Stats().Limited[LimitAccepts] > 0 })
	ts.clock.t.Add(int64(time.Second))
	waitFor(t, func() bool { return ts.Stats().Handshaking == 4 && ts.Stats().Limited[LimitAccepts] > 1 })
	ts.clock.t.Add(int64(time.Second))
	waitFor(t, func() bool { return ts.Stats().Handshaking == 6 })
}

// trickling takes a byte at every other write.
type trickling struct {
	kernel
	writes int
}

func (k *trickling) write(fd int, p []byte) (int, error) {
	if k.writes++; k.writes%2 == 0 {
		return k.kernel.write(fd, p[:1])
	}
	return 0, syscall.EAGAIN
}

// An answer that the kernel does not take at once is not cut by what OnOpen sends.
func TestOpeningAnswerInPieces(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Loops: 1, Upgrader: handshake.Upgrader{Subprotocols: []string{"chat"}}, newKernel: wrapped(func(k kernel) kernel { return &trickling{kernel: k} }),
		Handler: funcs{open: func(c LoopConn) { c.Send(frame.Text, []byte("first")); c.Send(frame.Text, []byte("second")) }}})
	nc := dialTCP(t, ts.addr)
	io.WriteString(nc, upgradeRequest("/", "Sec-WebSocket-Protocol: chat\r\n"))
	checkEchoes(t, nc, "in pieces")
}

// Reading and answering a request allocates nothing.
func TestOpeningAllocates(t *testing.T) {
	var o opened
	raw, u, dst := []byte(upgradeRequest("/", "")), new(handshake.Upgrader), make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(100, func() {
		if o.parse(raw) != complete {
			t.Error("not complete")
		}
		if _, _, ok := u.AppendAnswer(dst, &o.fields); !ok {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
