package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// waiting runs a session against a scripted peer on a clock that stands still while
// anything happens. It returns how long the session took.
func waiting(t *testing.T, stdin string, args []string, script func(*peer)) (got outcome, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o, err := parse(append(args, "ws://peer/"))
		if err != nil {
			t.Fatal(err)
		}
		o.completeWait(false)
		here, there := net.Pipe()
		p := &peer{t: t, nc: there, buf: make([]byte, 64<<10)}
		p.proto.Init(&wsproto.Config{MaxMessage: 64 << 20})
		done := make(chan struct{})
		go func() {
			defer close(done)
			script(p)
			there.Close()
		}()
		var stdout, stderr bytes.Buffer
		began := time.Now()
		got.status = newSession(o, here, newScreen(&stdout, &stderr)).run(t.Context(), strings.NewReader(stdin), nil)
		took = time.Since(began)
		<-done
		got.stdout, got.stderr = stdout.String(), stderr.String()
	})
	return got, took
}

func (p *peer) answerClose() {
	p.expect(`close 1000 ""`)
	p.frame(0x88, "\x03\xe8")
}

const closed = "wscat: closed, answered with 1000 normal closure\n"

func TestWait(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		script func(*peer)
		want   outcome
		took   time.Duration
	}{
		{"slow answers", nil, func(p *peer) {
			for range 3 {
				time.Sleep(2900 * time.Millisecond)
				p.frame(0x81, "answer")
			}
			p.answerClose()
		}, outcome{exitInOrder, "answer\nanswer\nanswer\n", closed}, 3*2900*time.Millisecond + 3*time.Second},
		{"a slow message", nil, func(p *peer) {
			p.frame(0x01, "an")
			for range 5 {
				time.Sleep(2 * time.Second)
				p.frame(0x00, "sw")
			}
			time.Sleep(2 * time.Second)
			p.frame(0x80, "er")
			p.answerClose()
		}, outcome{exitInOrder, "answswswswswer\n", closed}, 15 * time.Second},
		{"pings are no answers", nil, func(p *peer) {
			for range 2 {
				time.Sleep(time.Second)
				p.frame(0x89, "")
				p.expect(`pong ""`)
			}
			p.answerClose()
		}, outcome{exitInOrder, "", closed}, 3 * time.Second},
		{"another time", []string{"--wait", "200ms"}, (*peer).answerClose, outcome{exitInOrder, "", closed}, 200 * time.Millisecond},
		{"at once", []string{"--wait", "0"}, (*peer).answerClose, outcome{exitInOrder, "", closed}, 0},
		{"for ever", []string{"--wait", "-1"}, func(p *peer) {
			time.Sleep(time.Hour)
			p.frame(0x81, "late")
			time.Sleep(time.Hour)
			p.frame(0x88, "\x03\xe9")
			p.expect(`close 1001 ""`)
		}, outcome{exitInOrder, "late\n", "wscat: closed by the other side with 1001 going away\n"}, 2 * time.Hour},
		{"until the peer closes", nil, func(p *peer) {
			time.Sleep(time.Second)
			p.frame(0x88, "")
			p.expect(`close 1005 ""`)
		}, outcome{exitInOrder, "", "wscat: closed by the other side with 1005 no status\n"}, time.Second},
		{"once", []string{"--once"}, func(p *peer) {
			time.Sleep(9 * time.Second)
			p.frame(0x81, "answer")
			p.answerClose()
		}, outcome{exitInOrder, "answer\n", ""}, 9 * time.Second},
		{"once, and no answer", []string{"--once"}, (*peer).answerClose,
			outcome{exitNoMessage, "", "wscat: no message came within 10s (--wait)\n"}, 10 * time.Second},
		{"once, and no answer for long", []string{"--once", "--wait", "1m"}, (*peer).answerClose,
			outcome{exitNoMessage, "", "wscat: no message came within 1m0s (--wait)\n"}, time.Minute},
		{"cut short", nil, func(p *peer) {
			p.frame(0x01, "an")
			p.frame(0x88, "\x03\xe8")
			p.expect(`close 1000 ""`)
		}, outcome{exitClosed, "", "wscat: closed by the other side with 1000 normal closure, in the middle of a message\n"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, took := waiting(t, "question\n", c.args, func(p *peer) {
				p.expect(`text "question"`)
				c.script(p)
			})
			check(t, got, c.want)
			if took != c.took {
				t.Errorf("it took %v, want %v", took, c.took)
			}
		})
	}
}

// Input that the peer has not been sent is not lost in silence.
func TestUnsent(t *testing.T) {
	const unsent = "wscat: the connection ended before all of the input was sent\n"
	input := strings.Repeat("line\n", 100)
	closes := func(payload string) func(*peer) {
		return func(p *peer) {
			p.expect(`text "line"`)
			p.frame(0x88, payload)
			synctest.Wait() // until it is understood
			io.Copy(io.Discard, p.nc)
		}
	}
	for _, c := range []struct {
		name   string
		script func(*peer)
		want   outcome
	}{
		{"closed in order", closes("\x03\xe8"), outcome{exitStreams, "", "wscat: closed by the other side with 1000 normal closure\n" + unsent}},
		{"closed with a failure", closes("\x03\xf3"), outcome{exitClosed, "", "wscat: closed by the other side with 1011 internal error\n" + unsent}},
		{"broken", func(p *peer) { p.expect(`text "line"`) },
			outcome{exitNoClose, "", "wscat: the other side ended the connection without a Close (1006)\n" + unsent}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := waiting(t, input, []string{"--close-timeout", "1s"}, c.script)
			check(t, got, c.want)
		})
	}
	t.Run("nothing to send", func(t *testing.T) {
		got, _ := waiting(t, "", nil, func(p *peer) {
			p.frame(0x88, "\x03\xe8")
			p.expect(`close 1000 ""`)
		})
		check(t, got, outcome{exitInOrder, "", "wscat: closed by the other side with 1000 normal closure\n"})
	})
}

// A person who ends the input has seen the answers.
func TestWaitDefault(t *testing.T) {
	for _, c := range []struct {
		o     options
		typed bool
		want  time.Duration
	}{
		{options{}, false, quietWait}, {options{}, true, 0}, {options{once: true}, true, answerWait},
		{options{wait: time.Second, waitSaid: true}, true, time.Second}, {options{once: true, waitSaid: true}, false, 0},
	} {
		if c.o.completeWait(c.typed); c.o.wait != c.want {
			t.Errorf("typed %v, once %v: %v, want %v", c.typed, c.o.once, c.o.wait, c.want)
		}
	}
}

// stalled is an output without a reader: a write to it begins, and does not end.
type stalled struct {
	began, end chan struct{}
	once       *sync.Once
}

func (w stalled) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.began) })
	<-w.end
	return len(p), nil
}

// An interrupt ends the program even if its output is not read.
func TestStalledOutput(t *testing.T) {
	for _, args := range [][]string{{}, {"--hex"}} {
		url := serve(t, server.Config{Handler: funcs{open: func(c server.LoopConn) { c.Send(frame.Text, []byte("hello")) }}})
		ctx, cancel := context.WithCancel(t.Context())
		out := stalled{make(chan struct{}), make(chan struct{}), new(sync.Once)}
		go func() {
			<-out.began
			cancel()
		}()
		status := run(ctx, append(args, "--close-timeout", "10ms", url), blocked(t), out, new(watch))
		if status != exitStreams {
			t.Errorf("%q: status %d, want %d", args, status, exitStreams)
		}
		close(out.end)
		cancel()
	}
}

// While an output is slow to take a message, others may lie unread behind it: that is no
// quiet.
func TestSlowOutput(t *testing.T) {
	s := &session{o: &options{wait: time.Hour}, screen: &screen{}, heard: make(chan struct{}, 1), quiet: time.NewTimer(0)}
	<-s.quiet.C
	s.screen.writing.Add(1)
	s.endWait()
	if s.quiet == nil || s.gaveUp {
		t.Error("it gave up")
	}
}
