package autobahn

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The engine's tests run in a synctest bubble, where time passes only when every
// goroutine waits: a case of a minute takes no real time, and its deadlines are
// exact.

// peer is a scripted server: what it sends, and when it ends the connection.
type peer func(nc net.Conn)

// playAgainst plays a case, as a client, against a peer on a pipe.
func playAgainst(t *testing.T, c *Case, opt *Options, p peer) (*Result, time.Duration) {
	t.Helper()
	var r *Result
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() { p(theirs); theirs.Close(); close(done) }()
		r = &Result{Case: c}
		s := newSession(c, true, opt)
		s.nc = ours
		start := time.Now()
		s.play(nil)
		s.grade(r)
		took = time.Since(start)
		<-done
	})
	return r, took
}

// discard reads until the end.
func discard(nc net.Conn) { io.Copy(io.Discard, nc) }

var (
	closeFrame = []byte{0x88, 0x02, 0x03, 0xE8}
	helloFrame = append([]byte{0x81, 0x0B}, "Hello, quay"...)
)

func echoCase() *Case {
	return &Case{ID: "1.0", Script: []Step{send(text("Hello, quay")), killAfter(time.Second)},
		Expect: []Outcome{ok(echoed("Hello, quay"))}, Close: cleanClose}
}

func TestEngine(t *testing.T) {
	after := func(d time.Duration, p ...[]byte) peer {
		return func(nc net.Conn) {
			go discard(nc)
			time.Sleep(d)
			for _, b := range p {
				nc.Write(b)
				time.Sleep(time.Millisecond)
			}
		}
	}
	stay := func(p peer, d time.Duration) peer {
		return func(nc net.Conn) { p(nc); time.Sleep(d) }
	}
	bad := badFrame("3.0", "", ruleRSV, text("x", rsv(1)))
	for _, c := range []struct {
		name      string
		c         *Case
		p         peer
		behavior  Verdict
		close     Verdict
		timeAlone bool
		longest   time.Duration
	}{
		{"echo and clean close", echoCase(), after(0, helloFrame, closeFrame), OK, OK, false, time.Second},
		{"no echo, close when asked", echoCase(), after(time.Second, closeFrame), Failed, OK, true, 2 * time.Second},
		{"echo just in time", echoCase(), after(900*time.Millisecond, helloFrame, closeFrame), OK, OK, false, 2 * time.Second},
		{"echo too late", echoCase(), stay(after(1100*time.Millisecond, helloFrame), 3*time.Second), Failed, Unclean, true, 4 * time.Second},
		{"no answer to the Close", echoCase(), stay(after(0, helloFrame), 5*time.Second), OK, Unclean, true, 6 * time.Second},
		{"TCP closed instead of a Close", echoCase(), after(0, helloFrame), OK, Unclean, false, time.Second},
		{"TCP not closed after the Close", echoCase(), stay(after(0, helloFrame, closeFrame), 5*time.Second), OK, FailedByClient, true, 6 * time.Second},
		{"another code", echoCase(), after(0, helloFrame, []byte{0x88, 2, 3, 0xE9}), OK, WrongCode, false, time.Second},
		{"echo twice", echoCase(), after(0, append(helloFrame[:len(helloFrame):len(helloFrame)], helloFrame...), closeFrame), Failed, OK, false, time.Second},
		{"a masked echo", echoCase(), after(0, []byte{0x81, 0x80, 1, 2, 3, 4}), Failed, Unclean, false, 2 * time.Second},
		{"bad frame refused", bad, after(0, []byte{0x88, 2, 3, 0xEA}), OK, OK, false, time.Second},
		{"bad frame refused by closing TCP", bad, after(0), OK, OK, false, time.Second},
		{"bad frame refused with another code", bad, after(0, closeFrame), OK, WrongCode, false, time.Second},
		{"bad frame echoed", bad, after(0, []byte{0x81, 1, 'x'}), Failed, OK, false, time.Second},
		{"bad frame ignored", bad, stay(after(0), 5*time.Second), OK, Failed, false, 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, took := playAgainst(t, c.c, &Options{}, c.p)
			if r.Behavior != c.behavior || r.BehaviorClose != c.close || r.TimeAlone != c.timeAlone {
				t.Errorf("%s / %s, by time alone %v; want %s / %s, %v: %s; %s", r.Behavior, r.BehaviorClose, r.TimeAlone, c.behavior, c.close, c.timeAlone, r.Reason, r.ReasonClose)
			}
			if took > c.longest {
				t.Errorf("took %v, want at most %v", took, c.longest)
			}
		})
	}
}

func TestTimeScaleStretchesDeadlines(t *testing.T) {
	late := func(nc net.Conn) {
		go discard(nc)
		time.Sleep(2500 * time.Millisecond)
		nc.Write(helloFrame)
		time.Sleep(time.Millisecond)
		nc.Write(closeFrame)
	}
	if r, _ := playAgainst(t, echoCase(), &Options{TimeScale: 3}, late); r.Behavior != OK || r.BehaviorClose != OK {
		t.Errorf("with --time-scale 3 a late echo is %s / %s", r.Behavior, r.BehaviorClose)
	}
}

// If a peer is late, the reason says that it was too slow, and nothing else.
func TestTimeAlone(t *testing.T) {
	late := func(p ...[]byte) peer {
		return func(nc net.Conn) {
			go discard(nc)
			time.Sleep(1500 * time.Millisecond)
			for _, b := range p {
				nc.Write(b)
			}
			time.Sleep(5 * time.Second)
		}
	}
	both := echoCase()
	both.Script = append([]Step{send(ping("x"))}, both.Script...)
	both.Expect = []Outcome{ok(echoed("Hello, quay"), ponged("x"))}
	if r, _ := playAgainst(t, both, &Options{}, late(helloFrame, []byte{0x8A, 1, 'x'})); r.Behavior != Failed || !r.TimeAlone {
		t.Errorf("a message and a Pong, too late: %s, by time alone %v: %s", r.Behavior, r.TimeAlone, r.Reason)
	}
	declined := &Case{ID: "D0", Deflate: plainDeflate(), Script: []Step{killAfter(time.Second)}, Expect: []Outcome{ok()}, Close: protocolError}
	if r, _ := playAgainst(t, declined, &Options{}, late()); r.Behavior != Unimplemented || r.BehaviorClose != Unclean || !r.TimeAlone {
		t.Errorf("no compression, and no answer to the Close: %s / %s, by time alone %v", r.Behavior, r.BehaviorClose, r.TimeAlone)
	}
}

// The reason shows what came in place of what was expected.
func TestNearest(t *testing.T) {
	c := echoCase()
	c.Expect = []Outcome{lax(), ok(echoed("Hello, quay"), ponged("x"))}
	r, _ := playAgainst(t, c, &Options{}, func(nc net.Conn) {
		go discard(nc)
		nc.Write(helloFrame)
		nc.Write([]byte{0x81, 3, 'b', 'a', 'd'})
	})
	if want := `after 1 events text message of 3 bytes "bad", not Pong "x"`; r.Behavior != Failed || !strings.HasSuffix(r.Reason, want) {
		t.Errorf("%s: %s, want %s", r.Behavior, r.Reason, want)
	}
}

func TestEveryCaseEnds(t *testing.T) {
	c := echoCase()
	c.Script = c.Script[:1] // nothing that would end it
	silent := func(nc net.Conn) { discard(nc) }
	r, took := playAgainst(t, c, &Options{Timeout: 7 * time.Second}, silent)
	if r.Behavior != Failed || !r.TimeAlone || took != 7*time.Second {
		t.Errorf("%s after %v, by time alone %v; want FAILED after 7s by time alone", r.Behavior, took, r.TimeAlone)
	}
}

func TestFailFast(t *testing.T) {
	cases, _ := Cases(Suite)
	c := Find(cases, "6.4.2")
	failing := func(after time.Duration) peer {
		return func(nc net.Conn) {
			go discard(nc)
			time.Sleep(after)
			nc.Write([]byte{0x88, 2, 0x03, 0xEF})
		}
	}
	for _, f := range []struct {
		after time.Duration
		want  Verdict
	}{{500 * time.Millisecond, Failed}, {1500 * time.Millisecond, OK}, {2500 * time.Millisecond, NonStrict}} {
		if r, _ := playAgainst(t, c, &Options{}, failing(f.after)); r.Behavior != f.want {
			t.Errorf("failing after %v is %s, want %s", f.after, r.Behavior, f.want)
		}
	}
}

// A peer that ends the connection in the middle of many messages was not too
// slow: the reason names what it did.
func TestCutOff(t *testing.T) {
	c := &Case{ID: "9.0", Loop: &Loop{Count: 3, Length: 1, Fill: 'x', Timeout: time.Minute}, Close: cleanClose}
	echo := []byte{0x81, 1, 'x'}
	for want, last := range map[string][]byte{
		`message 2 of 3 did not come back: the peer ended the connection with 1009 ("big")`: {0x88, 5, 0x03, 0xF1, 'b', 'i', 'g'},
		"message 2 of 3 did not come back: the peer ended the connection":                   nil,
		"message 2 came back as binary":                                                     {0x82, 1, 'x'},
	} {
		r, _ := playAgainst(t, c, &Options{}, func(nc net.Conn) {
			go discard(nc)
			nc.Write(echo)
			nc.Write(last)
		})
		if r.Behavior != Failed || r.Reason != want || r.TimeAlone {
			t.Errorf("%s: %s, want %s", r.Behavior, r.Reason, want)
		}
	}
	r, _ := playAgainst(t, c, &Options{}, func(nc net.Conn) {
		go discard(nc)
		nc.Write(echo)
		time.Sleep(2 * time.Minute)
	})
	if r.Behavior != Failed || !strings.Contains(r.Reason, "message 2 of 3 did not come back: nothing came for 30s") || !r.TimeAlone {
		t.Errorf("%s: %s, by time alone %v", r.Behavior, r.Reason, r.TimeAlone)
	}
}
