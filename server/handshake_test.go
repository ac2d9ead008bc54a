package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// H13: a head beyond the limit is answered 431 long before its end, and the
// connection closed.
func TestH13LongHead(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}})
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: h\r\nX-Long: ")
	go func() {
		// What is written after the answer may fail, and ends this.
		for range 20 << 10 {
			if _, err := io.WriteString(nc, strings.Repeat("x", 1<<10)); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !resp.Close {
		t.Errorf("%s, close %v; want 431 and close", resp.Status, resp.Close)
	}
	if n := ts.Stats().Open; n != 0 {
		t.Errorf("%d connections open", n)
	}
}

// H23: 10,000 times a handshake and a reset at once leave nothing behind.
func TestH23UpgradeAndReset(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	ts := start(t, Config{Handler: funcs{message: echo}, MaxConnsPerAddress: Off})
	one := ts.dial(t, "/")
	one.text("x")
	one.expect(`text "x"`)
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	request := upgradeRequest("/", "") + string(masked(0x81, "never answered"))
	for i := range n {
		nc, err := net.Dial("tcp", ts.addr)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		io.WriteString(nc, request)
		nc.(*net.TCPConn).SetLinger(0)
		nc.Close()
	}
	waitFor(t, func() bool { return ts.Stats().Open == 1 && openDescriptors(t) <= descriptors })
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
	ts.addresses.mu.Lock()
	if len(ts.addresses.count) != 0 {
		t.Errorf("%d addresses are still counted", len(ts.addresses.count))
	}
	ts.addresses.mu.Unlock()
	one.text("still here")
	one.expect(`text "still here"`)
	used := uint32(0)
	for _, l := range ts.loops {
		l.free.mu.Lock()
		used = max(used, l.free.next)
		l.free.mu.Unlock()
	}
	t.Logf("%d handshakes took %d slots of the busier loop", n, used)
}

// openDescriptors counts where the system says.
func openDescriptors(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A header with more than 100 lines is refused, whatever its length.
func TestHeaderLines(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}})
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, "X-%d: y\r\n", i)
	}
	if resp, _ := ask(t, ts.addr, upgradeRequest("/", lines.String())); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s; want 431", resp.Status)
	}
}

// H24: who says nothing on a TLS port, or stops in the middle of its ClientHello,
// is closed at the deadline of the handshake, which net/http keeps, in real time.
// (make faults does it with 1,000.)
func TestH24NoClientHello(t *testing.T) {
	ts, _, _ := startTLS(t, Config{Handler: funcs{}, HandshakeTimeout: 50 * time.Millisecond})
	var conns []net.Conn
	for i := range 20 {
		nc, err := net.Dial("tcp", ts.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		if i%2 == 1 {
			nc.Write([]byte{22, 3, 1, 2, 0, 1, 0}) // a handshake record of 512 bytes, a ClientHello
		}
		conns = append(conns, nc)
	}
	for i, nc := range conns {
		if n, err := nc.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
			t.Fatalf("connection %d is not closed: %d, %v", i, n, err)
		}
	}
	waitFor(t, func() bool { return ts.Stats().Handshaking == 0 })
}
