package autobahn

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// startTester starts a ClientTester and returns a function that asks it.
func startTester(t *testing.T, tester *ClientTester) (ask func(target string) (status, message string, rest net.Conn)) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go tester.Serve(ln)
	t.Cleanup(func() { ln.Close(); tester.Close() })
	return func(target string) (string, string, net.Conn) {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target)
		br := bufio.NewReader(nc)
		status, err := br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		for {
			line, err := br.ReadString('\n')
			if err != nil || line == "\r\n" {
				break
			}
		}
		var h [2]byte
		io.ReadFull(br, h[:])
		if h[0] != 0x81 {
			return strings.TrimSpace(status), "", nc
		}
		p := make([]byte, h[1])
		io.ReadFull(br, p)
		nc.Write((&wire.Frame{Fin: true, Opcode: wire.Close}).Append(nil, true, [4]byte{}))
		return strings.TrimSpace(status), string(p), nc
	}
}

func TestControlURLs(t *testing.T) {
	all, _ := Cases(Suite)
	cases, err := Select(all, Client, []string{"1.1.1", "7.9.3"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	reported := make(chan string, 2)
	stopped := make(chan struct{})
	tester := &ClientTester{Cases: cases, Options: &Options{}, Report: func(agent string) { reported <- agent }, Stop: func() { close(stopped) }}
	ask := startTester(t, tester)
	expect := func(target, want string) {
		t.Helper()
		status, got, nc := ask(target)
		nc.Close()
		if status != "HTTP/1.1 101 Switching Protocols" || got != want {
			t.Errorf("%s: %s, %q; want %q", target, status, got, want)
		}
	}
	expect("/getCaseCount", "2")
	info, _ := json.Marshal(map[string]string{"id": "7.9.3", "description": cases[1].Title})
	expect("/getCaseInfo?case=2", string(info))
	expect("/getCaseInfo?casetuple=7.9.3", string(info))

	// A client that echoes the one empty message of 1.1.1.
	_, message, nc := ask("/runCase?casetuple=1.1.1&agent=me")
	if message != "" {
		t.Errorf("case 1.1.1 sends %q", message)
	}
	nc.Close()
	_, status, nc := ask("/getCaseStatus?case=1&agent=me")
	nc.Close()
	if !strings.Contains(status, `"behavior":"FAILED"`) { // it closed instead
		t.Errorf("getCaseStatus: %q", status)
	}
	_, _, nc = ask("/updateReports?agent=me")
	nc.Close()
	if got := <-reported; got != "me" {
		t.Errorf("reports for %q", got)
	}
	for _, target := range []string{"/runCase?case=1", "/runCase?agent=me", "/runCase?case=3&agent=me", "/runCase?case=x&agent=me", "/getCaseInfo", "/getCaseInfo?casetuple=9.9", "/runCase?case=1&case=2&agent=me", "/runCase?case=1&agent=a&agent=b"} {
		status, _, nc := ask(target)
		nc.Close()
		if !strings.HasPrefix(status, "HTTP/1.1 400") {
			t.Errorf("%s: %s, want 400", target, status)
		}
	}
	if status, _, nc := ask("/elsewhere"); !strings.HasPrefix(status, "HTTP/1.1 404") {
		nc.Close()
		t.Errorf("/elsewhere: %s, want 404", status)
	}
	_, _, nc = ask("/stopServer")
	nc.Close()
	<-stopped
	if results := tester.Results("me"); len(results) != 1 || results[0].Case.ID != "1.1.1" {
		t.Errorf("%d results", len(results))
	}
}

// An excluded case is answered at once, is no result, and is not missing.
func TestExcludedForAnAgent(t *testing.T) {
	all, _ := Cases(Suite)
	cases, err := Select(all, Client, []string{"1.1.1", "1.1.2", "1.1.3"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		done := 0
		tester := &ClientTester{Cases: cases, Options: &Options{
			Excluded: func(agent string, c *Case) bool { return agent == "me" && c.ID != "1.1.3" },
			Done:     func(*Result) { done++ },
		}}
		ask := func(target string) string {
			ours, theirs := net.Pipe()
			go func() { tester.handle(theirs); theirs.Close() }()
			defer ours.Close()
			fmt.Fprintf(ours, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target)
			b, _ := io.ReadAll(ours)
			return string(b)
		}
		if got := ask("/runCase?case=1&agent=me"); !strings.Contains(got, "\x88\x02\x03\xe8") {
			t.Errorf("/runCase for an excluded case: %q, want a Close", got)
		}
		for _, n := range []string{"1", "2"} { // the second was never asked for
			start := time.Now()
			got := ask("/getCaseStatus?case=" + n + "&agent=me")
			if !strings.Contains(got, `"behavior":"UNIMPLEMENTED"`) || time.Since(start) > 10*time.Second {
				t.Errorf("/getCaseStatus?case=%s: %q after %v", n, got, time.Since(start))
			}
		}
		if r, n := tester.Results("me"), tester.Missing("me"); len(r) != 0 || n != 1 || done != 0 {
			t.Errorf("%d results, %d missing, %d done; want 0, 1, 0", len(r), n, done)
		}
		if n := tester.Missing("you"); n != 3 {
			t.Errorf("%d missing for another agent, want 3", n)
		}
	})
}
