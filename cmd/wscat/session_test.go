package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
)

var compareOutcomes = cmp.AllowUnexported(outcome{})

// check compares outcomes.
func check(t *testing.T, got, want outcome) {
	t.Helper()
	if diff := cmp.Diff(want, got, compareOutcomes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const inOrder = "wscat: connected\nwscat: closed, answered with 1000 normal closure\n"

func TestLines(t *testing.T) {
	got := wscat(t, "one\n\nthree \x1b[1m\r\nfour", serveEcho(t))
	// The output is no terminal: it is what was sent.
	check(t, got, outcome{exitInOrder, "one\n\nthree \x1b[1m\nfour\n", inOrder})
}

func TestBinary(t *testing.T) {
	opcodes := make(chan frame.Opcode, 2)
	url := serve(t, server.Config{Handler: funcs{message: func(c server.LoopConn, op frame.Opcode, p []byte) {
		opcodes <- op
		echo(c, op, p)
	}}})
	got := wscat(t, "a\xff\nb\n", "--binary", url)
	check(t, got, outcome{exitInOrder, "a\xffb", inOrder})
	if a, b := <-opcodes, <-opcodes; a != frame.Binary || b != frame.Binary {
		t.Errorf("opcodes %v and %v", a, b)
	}
}

// Messages that arrive after the end of the input are still printed.
func TestAfterInput(t *testing.T) {
	url := script(t, func(p *peer) {
		p.expect(`text "a"`, `close 1000 ""`)
		p.frame(0x01, "la")
		p.frame(0x80, "te")
		p.frame(0x88, "\x03\xe8")
		p.finish()
	})
	check(t, wscat(t, "a", url), outcome{exitInOrder, "late\n", inOrder})
}

func TestRequest(t *testing.T) {
	requests := make(chan *http.Request, 1)
	url := serve(t, server.Config{
		Handler:  funcs{message: echo},
		Upgrader: handshake.Upgrader{Subprotocols: []string{"c", "b"}, Origins: []string{"http://page.example"}},
		Admit:    func(r *http.Request) (any, error) { requests <- r; return nil, nil },
	})
	got := wscat(t, "", "--subprotocol", "a,b", url+"room?n=1", "--subprotocol=c",
		"--header", "Cookie: a=1", "--header", "X-Two:1", "--header", "X-Two: 2", "--origin", "http://page.example")
	check(t, got, outcome{exitInOrder, "", strings.Replace(inOrder, "connected", "connected, subprotocol c", 1)})
	r := <-requests
	h := map[string][]string{}
	for _, name := range []string{"Sec-Websocket-Protocol", "Cookie", "X-Two", "Origin"} {
		h[name] = r.Header[name]
	}
	want := map[string][]string{
		"Sec-Websocket-Protocol": {"a, b, c"}, "Cookie": {"a=1"}, "X-Two": {"1", "2"}, "Origin": {"http://page.example"},
	}
	if diff := cmp.Diff(want, h); diff != "" || r.RequestURI != "/room?n=1" {
		t.Errorf("request for %s (-want +got):\n%s", r.RequestURI, diff)
	}
}

// Everything on the wire, with the masking keys, which differ, left out.
func TestHex(t *testing.T) {
	url := script(t, func(p *peer) {
		p.expect(`text "Hello"`)
		p.frame(0x01, "He\x1b")
		p.frame(0x80, "")
		p.frame(0x89, "?")
		p.expect(`pong "?"`, `close 4000 "bye"`)
		p.frame(0x88, "\x0f\xa0")
		p.finish()
	})
	stdin, w := io.Pipe()
	go io.WriteString(w, "Hello\n")
	stdout := &watch{text: "> pong", call: func() { w.Close() }}
	status := run(t.Context(), []string{"--hex", "--wait", "0", "--close", "4000:bye", url}, stdin, stdout, io.Discard)
	got := stdout.b.String()
	mask := regexp.MustCompile(`mask=([0-9a-f]{8})`)
	keys := map[string]bool{}
	for _, key := range mask.FindAllString(got, -1) {
		keys[key] = true
	}
	if len(keys) != 3 {
		t.Errorf("%d masking keys for 3 frames", len(keys))
	}
	want := `> text fin=1 rsv=000 len=5 mask=KEY
00000000  48 65 6c 6c 6f                                    |Hello|
< text fin=0 rsv=000 len=3 mask=none
00000000  48 65 1b                                          |He.|
< continuation fin=1 rsv=000 len=0 mask=none
< ping fin=1 rsv=000 len=1 mask=none
00000000  3f                                                |?|
> pong fin=1 rsv=000 len=1 mask=KEY
00000000  3f                                                |?|
> close fin=1 rsv=000 len=5 mask=KEY
00000000  0f a0 62 79 65                                    |..bye|
< close fin=1 rsv=000 len=2 mask=none
00000000  0f a0                                             |..|
`
	if diff := cmp.Diff(want, mask.ReplaceAllString(got, "mask=KEY")); diff != "" || status != exitInOrder {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
}

func TestPing(t *testing.T) {
	stdin, w := io.Pipe()
	stderr := &watch{text: "pong after ", call: func() { w.Close() }}
	status := run(t.Context(), []string{"--ping", "1ms", "--wait", "0", serveEcho(t)}, stdin, io.Discard, stderr)
	if got := stderr.b.String(); status != exitInOrder || !regexp.MustCompile(`(?m)^wscat: pong after [0-9.]+(µs|ms|s)$`).MatchString(got) {
		t.Errorf("status %d, stderr:\n%s", status, got)
	}
}

func TestOnce(t *testing.T) {
	t.Run("all of the input", func(t *testing.T) {
		url := script(t, func(p *peer) {
			p.expect(`text "one\ntwo"`)
			p.frame(0x81, "first")
			p.frame(0x81, "second")
			p.expect(`close 4000 ""`)
			p.frame(0x88, "\x0f\xa0")
			p.finish()
		})
		check(t, wscat(t, "one\ntwo\n", "--once", "--close", "4000", url), outcome{exitInOrder, "first\n", ""})
	})
	t.Run("no input", func(t *testing.T) {
		url := serve(t, server.Config{Handler: funcs{
			open:    func(c server.LoopConn) { c.Send(frame.Binary, []byte("\xffhi")) },
			message: func(c server.LoopConn, _ frame.Opcode, p []byte) { t.Errorf("received %q", p) },
		}})
		check(t, wscat(t, "", "--once", url), outcome{exitInOrder, "\xffhi", ""})
	})
	// A greeting does not keep the input from being sent.
	t.Run("greeting", func(t *testing.T) {
		stdin, w := io.Pipe()
		url := script(t, func(p *peer) {
			p.frame(0x81, "welcome")
			p.expect(`text "hello"`, `close 1000 ""`)
			p.frame(0x88, "\x03\xe8")
			p.finish()
		})
		stdout := &watch{text: "welcome\n", call: func() {
			go func() { io.WriteString(w, "hello\n"); w.Close() }()
		}}
		if status := run(t.Context(), []string{"--once", url}, stdin, stdout, io.Discard); status != exitInOrder {
			t.Errorf("status %d", status)
		}
		if got := stdout.b.String(); got != "welcome\n" {
			t.Errorf("stdout %q", got)
		}
	})
}

// A frame that came in the same segment as the handshake is not lost.
func TestGlued(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi\x88\x00", handshake.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
		io.Copy(io.Discard, nc)
		nc.Close()
	})}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	// The peer leaves it to the client to end the connection.
	got := wscatFrom(t.Context(), blocked(t), "--close-timeout", "1ms", "ws://"+ln.Addr().String())
	check(t, got, outcome{exitInOrder, "hi\n", "wscat: connected\nwscat: closed by the other side with 1005 no status\n"})
}

// A peer that reads only when it is read itself: whoever stops reading while a
// write is stuck stops both.
func TestBothWays(t *testing.T) {
	url := script(t, func(p *peer) {
		io.Copy(io.Discard, io.LimitReader(p.nc, 2)) // what follows is not looked into
		flood := strings.Repeat("\x82\x7e\x40\x00"+strings.Repeat("x", 16<<10), 16<<20/(16<<10))
		p.raw([]byte(flood))
		p.frame(0x88, "\x03\xe8")
		p.finish()
	})
	stdin := strings.Repeat(strings.Repeat("y", 1<<20)+"\n", 16)
	got := wscatFrom(t.Context(), io.MultiReader(strings.NewReader(stdin), blocked(t)), url)
	// It closes before it has read all of the input.
	if got.status != exitStreams || got.stdout != strings.Repeat("x", 16<<20) {
		t.Errorf("status %d, %d bytes came, stderr:\n%s", got.status, len(got.stdout), got.stderr)
	}
}

// C10: answers to a peer that does not read them take a bounded memory, and
// none is lost.
func TestPingFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, err := parse([]string{"ws://peer/"})
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe() // it buffers nothing
		s := newSession(o, here, newScreen(io.Discard, io.Discard))
		stdin, typed := io.Pipe()
		status := make(chan int, 1)
		go func() { status <- s.run(t.Context(), stdin, nil) }()

		const pings, pong = 4 * maxUnwritten / 125, 2 + 4 + 125
		go func() {
			ping := []byte("\x89\x7d" + strings.Repeat("p", 125))
			for range pings {
				there.Write(ping)
			}
			there.Write([]byte("\x88\x00"))
		}()
		synctest.Wait() // until neither side gets on
		s.mu.Lock()
		waiting := len(s.out)
		s.mu.Unlock()
		if waiting <= maxUnwritten || waiting > maxUnwritten+pong {
			t.Errorf("%d bytes wait to be written, want one pong more than %d", waiting, maxUnwritten)
		}
		answers := make([]byte, pings*pong+6)
		if _, err := io.ReadFull(there, answers); err != nil || answers[pings*pong] != 0x88 {
			t.Errorf("pongs and a Close: %v, %x", err, answers[pings*pong:])
		}
		there.Close()
		typed.Close()
		if got := <-status; got != exitInOrder {
			t.Errorf("status %d", got)
		}
	})
}

func TestTLS(t *testing.T) {
	url, srv := scripted(t, true, func(p *peer) {
		p.expect(`text "a"`)
		p.frame(0x81, "b")
		p.expect(`close 1000 ""`)
		p.frame(0x88, "\x03\xe8")
	})
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	want := outcome{exitInOrder, "b\n", inOrder}
	check(t, wscat(t, "a", "--cacert", file, url), want)
	check(t, wscat(t, "a", "--insecure", url), want)
	got := wscat(t, "a", url)
	if got.status != exitNotConnected || !strings.Contains(got.stderr, "certificate") {
		t.Errorf("an unknown certificate: %+v", got)
	}
}

// fullDisk is an output that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// What goes wrong at home still closes in order.
func TestStreamsFail(t *testing.T) {
	closes := func(t *testing.T) string {
		return script(t, func(p *peer) {
			p.frame(0x81, "a")
			p.expect(`close 1000 ""`)
			p.frame(0x88, "\x03\xe8")
			p.finish()
		})
	}
	t.Run("input", func(t *testing.T) {
		got := wscatFrom(t.Context(), io.MultiReader(strings.NewReader("\xff\n"), blocked(t)), closes(t))
		check(t, got, outcome{exitStreams, "a\n",
			inOrder + `wscat: standard input: not UTF-8 at byte 1 of "\xff"; --binary sends it as it is` + "\n"})
	})
	for _, args := range [][]string{{"--once"}, {"--hex"}, {}} {
		t.Run("output"+strings.Join(args, ""), func(t *testing.T) {
			var stderr watch
			status := run(t.Context(), append(args, closes(t)), blocked(t), fullDisk{}, &stderr)
			if status != exitStreams || !strings.HasSuffix(stderr.b.String(), "wscat: standard output: no space left\n") {
				t.Errorf("status %d, stderr:\n%s", status, &stderr.b)
			}
		})
	}
}
