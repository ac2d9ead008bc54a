package wsproto

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
)

// Each side reads what the other sends.
func TestSend(t *testing.T) {
	forBothRoles(t, func(t *testing.T, role Role) {
		c, peer := newConn(role), newConn(1-role)
		var wire []byte
		var err error
		add := func(b []byte, e error) {
			t.Helper()
			if wire, err = b, e; err != nil {
				t.Fatal(err)
			}
		}
		add(c.AppendMessage(wire, frame.Text, []byte("hello")))
		add(c.AppendMessage(wire, frame.Binary, make([]byte, 65536)))
		add(c.AppendPing(wire, []byte("p")))
		add(c.AppendPong(wire, nil))
		m, err := c.Frame(NewPrepared(frame.Text, []byte("prepared")))
		add(append(wire, m...), err)
		add(c.AppendClose(wire, CloseGoingAway, "bye"))
		want := []string{`text "hello"`, "binary 65536 bytes", `ping "p"`, `pong ""`, `text "prepared"`, `closed 1001 "bye"`}
		got := transcript(peer, wire)
		if d := cmp.Diff(append(want, forRole(1-role, []string{`> pong "p"`, "> close 1001"})...), got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

func TestSendAfterClose(t *testing.T) {
	forBothRoles(t, func(t *testing.T, role Role) {
		c := newConn(role)
		if _, err := c.AppendClose(nil, CloseNormal, ""); err != nil {
			t.Fatal(err)
		}
		check := func(b []byte, err error) {
			t.Helper()
			if !errors.Is(err, ErrClosed) || len(b) > 0 {
				t.Errorf("% x, %v; want ErrClosed and nothing", b, err)
			}
		}
		check(c.AppendMessage(nil, frame.Text, nil))
		check(c.AppendPing(nil, nil))
		check(c.AppendPong(nil, nil))
		check(c.AppendClose(nil, CloseNormal, ""))
		check(c.Frame(NewPrepared(frame.Text, nil)))

		// The peer may still send until it closes, and gets no second Close.
		got := transcript(c, frames(t, role, "81 late", "89 p", `88 \x03\xe8`))
		if d := cmp.Diff([]string{`text "late"`, `ping "p"`, `closed 1000 ""`}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

func TestMisuse(t *testing.T) {
	c := newConn(Server)
	check := func(what string, b []byte, err error) {
		t.Helper()
		var usage *UsageError
		if !errors.As(err, &usage) || len(b) > 0 {
			t.Errorf("%s: % x, %v; want a UsageError and nothing", what, b, err)
		}
	}
	b, err := c.AppendMessage(nil, frame.Ping, nil)
	check("a ping as message", b, err)
	b, err = c.AppendPing(nil, make([]byte, 126))
	check("a ping of 126 bytes", b, err)
	for _, code := range []CloseCode{0, 999, 1004, CloseAbnormal, CloseTLSHandshake, 2999, 5000} {
		b, err = c.AppendClose(nil, code, "")
		check("close "+code.String(), b, err)
	}
	b, err = c.AppendClose(nil, CloseNormal, strings.Repeat("a", 124))
	check("a reason of 124 bytes", b, err)
	b, err = c.AppendClose(nil, CloseNormal, "\xff")
	check("a reason that is not UTF-8", b, err)
	b, err = c.AppendClose(nil, CloseNoStatus, "why")
	check("a reason without a code", b, err)
	if c.CloseExpected() {
		t.Error("a refused close counts as sent")
	}
	for name, f := range map[string]func(){
		"Init without MaskKey":  func() { new(Conn).Init(&Config{Role: Client}) },
		"NewPrepared of a ping": func() { NewPrepared(frame.Ping, nil) },
		"Feed twice":            func() { c.Feed([]byte{0x81}); c.Feed([]byte{0x81}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestCloseStates(t *testing.T) {
	closeFrame := []string{`88 \x03\xe8`}
	for _, c := range []struct {
		name               string
		do                 func(*Conn)
		expected, finished bool
	}{
		{"open", func(c *Conn) {}, false, false},
		{"we closed", func(c *Conn) { c.AppendClose(nil, CloseNormal, "") }, true, false},
		{"peer closed", func(c *Conn) { transcript(c, frames(t, Server, closeFrame...)) }, true, true},
		{"both closed", func(c *Conn) {
			c.AppendClose(nil, CloseNormal, "")
			transcript(c, frames(t, Server, closeFrame...))
		}, true, true},
		{"failed", func(c *Conn) { transcript(c, frames(t, Server, "83")) }, true, true},
		{"failed after our close", func(c *Conn) {
			c.AppendClose(nil, CloseNormal, "")
			if got := transcript(c, frames(t, Server, "83")); len(got) != 1 {
				t.Errorf("%q; want no second close", got)
			}
		}, true, true},
	} {
		conn := newConn(Server)
		c.do(conn)
		if conn.CloseExpected() != c.expected || conn.Finished() != c.finished {
			t.Errorf("%s: CloseExpected %v, Finished %v; want %v, %v", c.name, conn.CloseExpected(), conn.Finished(), c.expected, c.finished)
		}
	}
}

func TestUnfinished(t *testing.T) {
	c := newConn(Server)
	feed := func(b []byte) (uint32, int, bool) {
		transcript(c, b)
		return c.Unfinished()
	}
	two := frames(t, Server, "81 hello", "81 world")
	one := len(two) / 2
	unit, n, ok := feed(two[:1])
	if !ok || n != 1 {
		t.Errorf("after a byte: %d, %v", n, ok)
	}
	same, n, ok := feed(two[1 : one-1])
	if !ok || n != one-1 || same != unit {
		t.Errorf("after all but the last byte: unit %d, %d, %v; want %d, %d, true", same, n, ok, unit, one-1)
	}
	next, n, ok := feed(two[one-1 : one+3])
	if !ok || n != 3 || next == unit {
		t.Errorf("three bytes into the next: unit %d, %d, %v; want another than %d, 3, true", next, n, ok, unit)
	}
	if _, _, ok := feed(two[one+3:]); ok || c.w != nil {
		t.Error("something is unfinished after whole messages")
	}
	// A ping inside a message does not begin another one.
	unit, _, _ = feed(frames(t, Server, "01 a"))
	same, _, ok = feed(frames(t, Server, "89 p"))
	if !ok || same != unit {
		t.Errorf("after a ping inside the message: unit %d, %v; want %d", same, ok, unit)
	}
	c.Release()
	if c.w != nil {
		t.Error("Release left something held")
	}
}

func TestReceiveAllocs(t *testing.T) {
	c := newConn(Server)
	wire := frames(t, Server, "81 "+a(128))
	buf := make([]byte, len(wire))
	split := frames(t, Server, "01 "+a(100), "89 p", "80 "+a(28))
	if n := testing.AllocsPerRun(200, func() {
		copy(buf, wire)
		c.Feed(buf)
		for c.Next().Kind != NeedData {
		}
	}); n != 0 {
		t.Errorf("receiving a message allocates %v times, want 0", n)
	}
	if raceEnabled {
		return
	}
	work := make([]byte, len(split))
	if n := testing.AllocsPerRun(200, func() {
		copy(work, split)
		c.Feed(work)
		for c.Next().Kind != NeedData {
			c.Output()
		}
	}); n != 0 {
		t.Errorf("receiving a fragmented message allocates %v times, want 0", n)
	}
}

func BenchmarkReceive128(b *testing.B) {
	c := newConn(Server)
	wire := frames(b, Server, "81 "+a(128))
	buf := make([]byte, len(wire))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, wire)
		c.Feed(buf)
		for c.Next().Kind != NeedData {
		}
	}
}

func BenchmarkReceive64x128(b *testing.B) {
	c := newConn(Server)
	one := frames(b, Server, "81 "+a(128))
	var wire []byte
	for range 64 {
		wire = append(wire, one...)
	}
	buf := make([]byte, len(wire))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, wire)
		c.Feed(buf)
		for c.Next().Kind != NeedData {
		}
	}
}

// A plain frame of a prepared message is the same in every connection, and leaves
// windows as they were.
func TestFramePlain(t *testing.T) {
	m := NewPrepared(frame.Text, bytes.Repeat([]byte("again "), 100))
	var server, client Conn
	server.Init(&Config{CompressFrom: 1})
	server.UseDeflate(Deflate{})
	client.Init(&Config{Role: Client, MaskKey: func() uint32 { return 1 }})
	client.UseDeflate(Deflate{})
	if b, err := server.FramePlain(m); err != nil || &b[0] != &m.raw[0] {
		t.Errorf("FramePlain made a frame of its own, or failed: %v", err)
	}
	for range 2 { // the second refers back to the first, and to nothing before it
		b, err := server.AppendMessage(nil, frame.Text, m.Payload())
		if err != nil {
			t.Fatal(err)
		}
		client.Feed(b)
		if ev := client.Next(); ev.Kind != Message || !bytes.Equal(ev.Payload, m.Payload()) {
			t.Fatalf("%+v", ev)
		}
		client.Next()
	}
	if b, err := client.FramePlain(m); err != nil || b[0] != 0x81 || b[1]&0x80 == 0 {
		t.Errorf("a client's: % x, %v", b[:2], err)
	}
	for _, c := range []*Conn{&server, &client} {
		if _, err := c.AppendFragment(nil, frame.Text, nil, false); err != nil {
			t.Fatal(err)
		}
		var misuse *UsageError
		if _, err := c.FramePlain(m); !errors.As(err, &misuse) {
			t.Errorf("inside a fragmented message: %v", err)
		}
		c.AppendClose(nil, CloseNormal, "")
		if _, err := c.FramePlain(m); err != ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	}
}
