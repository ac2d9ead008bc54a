package main

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/hawser-ws/hawser/server"
)

// Closes by the peer, whether package server sends them or a script.
func TestClosedByPeer(t *testing.T) {
	const by = "wscat: connected\nwscat: closed by the other side with "
	for _, c := range []struct {
		payload string
		want    outcome
	}{
		{"\x03\xe8", outcome{exitInOrder, "", by + "1000 normal closure\n"}},
		{"\x03\xe9", outcome{exitInOrder, "", by + "1001 going away\n"}},
		{"", outcome{exitInOrder, "", by + "1005 no status\n"}},
		{"\x03\xf0no\n", outcome{exitClosed, "", by + `1008 policy violation, reason "no\n"` + "\n"}},
		{"\x0f\xa1", outcome{exitClosed, "", by + "4001\n"}},
	} {
		url := script(t, func(p *peer) {
			p.frame(0x88, c.payload)
			p.finish()
		})
		check(t, wscatFrom(t.Context(), blocked(t), url), c.want)
	}
	url := serve(t, server.Config{Handler: funcs{open: func(c server.LoopConn) { c.Close(4001, "bye") }}})
	check(t, wscatFrom(t.Context(), blocked(t), url), outcome{exitClosed, "", by + `4001, reason "bye"` + "\n"})
}

// --close, and what it is answered with.
func TestClose(t *testing.T) {
	for _, c := range []struct {
		flag, sent, answer string
		want               outcome
	}{
		{"4001:so long", `close 4001 "so long"`, "\x0f\xa1", outcome{exitInOrder, "", "answered with 4001\n"}},
		{"1001", `close 1001 ""`, "\x03\xe8", outcome{exitInOrder, "", "answered with 1000 normal closure\n"}},
		{"1005", `close 1005 ""`, "", outcome{exitInOrder, "", "answered with 1005 no status\n"}},
		{"1000", `close 1000 ""`, "\x03\xf3sorry", outcome{exitClosed, "", `answered with 1011 internal error, reason "sorry"` + "\n"}},
	} {
		url := script(t, func(p *peer) {
			p.expect(c.sent)
			p.frame(0x88, c.answer)
			p.finish()
		})
		c.want.stderr = "wscat: connected\nwscat: closed, " + c.want.stderr
		check(t, wscat(t, "", "--close", c.flag, url), c.want)
	}
}

func TestNoClose(t *testing.T) {
	t.Run("end of stream", func(t *testing.T) {
		url := script(t, func(p *peer) { p.frame(0x81, "a") })
		check(t, wscatFrom(t.Context(), blocked(t), url), outcome{exitNoClose, "a\n",
			"wscat: connected\nwscat: the other side ended the connection without a Close (1006)\n"})
	})
	t.Run("inside a message", func(t *testing.T) {
		url := script(t, func(p *peer) { p.frame(0x01, "a") })
		check(t, wscatFrom(t.Context(), blocked(t), url), outcome{exitNoClose, "",
			"wscat: connected\nwscat: the other side ended the connection without a Close in the middle of a message (1006)\n"})
	})
	t.Run("reset", func(t *testing.T) {
		url := script(t, func(p *peer) { p.nc.(*net.TCPConn).SetLinger(0) })
		got := wscatFrom(t.Context(), blocked(t), url)
		if got.status != exitNoClose || !strings.Contains(got.stderr, "wscat: connection lost (1006): ") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("C07 our Close is not answered", func(t *testing.T) {
		url := script(t, func(p *peer) { p.expect(`close 1000 ""`, "EOF") })
		check(t, wscat(t, "", "--close-timeout", "1ms", url), outcome{exitNoClose, "",
			"wscat: connected\nwscat: no Close from the other side in time (1006; --close-timeout)\n"})
	})
}

// What breaks the protocol is status 5, and the peer is told so.
func TestPeerFails(t *testing.T) {
	for _, c := range []struct{ name, wire, sent, stderr string }{
		{"F01 masked", "81 82 00000000 6869", "1002", "masked frame from a server"},
		{"F02 length", "82 7f 8000000000000000", "1002", "payload length has its highest bit set"},
		{"F04 length", "82 7f 7fffffffffffffff", "1009", "message over the size limit (--max-message)"},
		{"F07 length", "82 11", "1009", "message over the size limit (--max-message)"},
		{"F13 length", "81 7e 0005 68656c6c6f", "1002", "payload length not in its shortest form"},
		{"F14 RSV1", "c1 00", "1002", "reserved bit set"},
		{"F15 opcode", "83 00", "1002", "reserved opcode"},
		{"F16 continuation", "80 01 61", "1002", "continuation frame without a message"},
		{"F17 ping", "09 00", "1002", "fragmented control frame"},
		{"F19 text", "81 02 c0af", "1007", "text is not UTF-8"},
		{"C01 close", "88 01 03", "1002", "close frame with a one-byte payload"},
		{"C02 close", "88 02 03ed", "1002", "close code that must not be sent"},
		{"C05 close", "88 03 03e8 ff", "1007", "close reason is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire, err := hex.DecodeString(strings.ReplaceAll(c.wire, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			url := script(t, func(p *peer) {
				// Unread input does not cost the peer the Close.
				p.raw(append(wire, make([]byte, 1<<20)...))
				if got := p.next(); !strings.HasPrefix(got, "close "+c.sent) {
					t.Errorf("peer received %s; want close %s", got, c.sent)
				}
				p.expect("EOF")
			})
			got := wscatFrom(t.Context(), blocked(t), "--max-message", "16", url)
			if got.status != exitFailed || !strings.Contains(got.stderr, c.stderr) || !strings.Contains(got.stderr, "closed with "+c.sent) {
				t.Errorf("%+v; want status 5 and %q", got, c.stderr)
			}
		})
	}
}

// F08: a message of exactly the limit is taken.
func TestLimit(t *testing.T) {
	check(t, wscat(t, "sixteen byte msg", "--max-message", "16", serveEcho(t)),
		outcome{exitInOrder, "sixteen byte msg\n", inOrder})
}

func TestNotConnected(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no sockets\x1b[2J here", http.StatusTeapot)
	}))
	defer plain.Close()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()

	for _, c := range []struct {
		name string
		ctx  context.Context
		args []string
		want string
	}{
		{"nobody listens", t.Context(), []string{"ws://127.0.0.1:1"}, "connection refused"},
		{"a plain web server", t.Context(), []string{"ws" + strings.TrimPrefix(plain.URL, "http")}, `418 I'm a teapot: the server said "no sockets\x1b[2J here"`},
		{"origin", t.Context(), []string{"--origin", "http://evil.example", serveEcho(t)}, "403 Forbidden"},
		{"timeout", t.Context(), []string{"--timeout", "1ms", "ws://" + silent.Addr().String()}, "no connection within 1ms (--timeout)"},
		{"interrupt", interrupted, []string{"ws://" + silent.Addr().String()}, "interrupted while connecting"},
	} {
		got := wscatFrom(c.ctx, blocked(t), c.args...)
		if got.status != exitNotConnected || got.stdout != "" || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: %+v; want status 1 and %q", c.name, got, c.want)
		}
	}
}

func TestOnceWithoutMessage(t *testing.T) {
	url := script(t, func(p *peer) {
		p.expect(`text "a"`)
		p.frame(0x88, "\x03\xe8")
		p.finish()
	})
	check(t, wscat(t, "a", "--once", url), outcome{exitNoMessage, "", "wscat: no message came\n"})
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := script(t, func(p *peer) {
		p.expect(`text "a"`)
		cancel()
		p.expect(`close 1000 ""`)
		p.frame(0x81, "late")
		p.frame(0x88, "\x03\xe8")
		p.finish()
	})
	got := wscatFrom(ctx, io.MultiReader(strings.NewReader("a\n"), blocked(t)), url)
	check(t, got, outcome{exitInOrder, "late\n", strings.Replace(inOrder, "wscat: closed", "wscat: interrupted, closing\nwscat: closed", 1)})
}

// readerFunc is a Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// An interrupt ends a write that the peer does not take.
func TestInterruptStuck(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	url := script(t, func(p *peer) { <-over })
	stdin := io.MultiReader(
		strings.NewReader(strings.Repeat("a", 32<<20)+"\n"),
		// It is asked for more when the writer has taken the first message.
		readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF }),
		blocked(t))
	got := wscatFrom(ctx, stdin, "--close-timeout", "1ms", url)
	close(over)
	want := "wscat: no Close from the other side in time (1006; --close-timeout)\nwscat: the connection ended before all of the input was sent\n"
	if got.status != exitNoClose || !strings.HasSuffix(got.stderr, want) {
		t.Errorf("%+v", got)
	}
}

// The real program and real signals: the first one closes in order, a second one
// does not wait for the answer.
func TestSignals(t *testing.T) {
	for _, patient := range []bool{true, false} {
		cmd := exec.Command(os.Args[0])
		started := make(chan struct{})
		cmd.Env = append(os.Environ(), "WSCAT_TEST_MAIN=1")
		url := script(t, func(p *peer) {
			p.expect(`text "a"`)
			<-started
			cmd.Process.Signal(os.Interrupt)
			p.expect(`close 1000 ""`)
			if patient {
				p.frame(0x88, "\x03\xe8")
				p.finish()
			} else {
				cmd.Process.Signal(os.Interrupt)
				p.expect("EOF")
			}
		})
		cmd.Args = append(cmd.Args, "--close-timeout", "1h", url)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		close(started)
		io.WriteString(stdin, "a\n")
		cmd.Wait()
		ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
		switch {
		case patient && ws.ExitStatus() != exitInOrder:
			t.Errorf("one signal: %v", cmd.ProcessState)
		case !patient && (!ws.Signaled() || ws.Signal() != syscall.SIGINT):
			t.Errorf("two signals: %v", cmd.ProcessState)
		}
	}
}
