package wsproto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
)

// moved returns a connection that goes on where c was.
func moved(t *testing.T, c *Conn) *Conn {
	t.Helper()
	state := c.AppendState(nil, NewestState)
	to := new(Conn)
	to.Init(c.cfg)
	if err := to.RestoreState(state); err != nil {
		t.Fatalf("state %x: %v", state, err)
	}
	if again := to.AppendState(nil, NewestState); !bytes.Equal(again, state) {
		t.Fatalf("state %x is restored as %x", state, again)
	}
	return to
}

// step feeds p to c, and returns the result: events, and every byte that goes out.
func step(c *Conn, p []byte) (happened []string) {
	c.Feed(bytes.Clone(p))
	for {
		ev := c.Next()
		if out := c.Output(); out != nil {
			happened = append(happened, fmt.Sprintf("out %x", out))
		}
		if ev.Kind == NeedData {
			unit, received, ok := c.Unfinished()
			_ = unit // it is each connection's own
			return append(happened, fmt.Sprint("unfinished ", received, ok))
		}
		happened = append(happened, fmt.Sprintf("%d %v %t %d %x %v", ev.Kind, ev.Opcode, ev.Fin, ev.Code, ev.Payload, ev.Err))
	}
}

// act is something that a program sends. It says what went out.
type act func(c *Conn) ([]byte, error)

// randomAct is an act that may be an error, and then is the same one on both connections.
func randomAct(r *rand.Rand, shared *Prepared) act {
	p := prose(r, r.IntN(200))
	switch r.IntN(9) {
	case 0, 1:
		return func(c *Conn) ([]byte, error) { return c.AppendMessage(nil, frame.Text, p) }
	case 2:
		return func(c *Conn) ([]byte, error) { return c.AppendPing(nil, p[:min(len(p), 125)]) }
	case 3:
		return func(c *Conn) ([]byte, error) { return c.Frame(shared) }
	case 4:
		return func(c *Conn) ([]byte, error) { return c.FramePlain(shared) }
	case 5:
		if r.IntN(20) == 0 {
			return func(c *Conn) ([]byte, error) { return c.AppendClose(nil, CloseGoingAway, "bye") }
		}
	}
	op, fin := frame.Binary, r.IntN(3) == 0
	return func(c *Conn) ([]byte, error) {
		op := op
		if c.sending != none {
			op = frame.Continuation
		}
		return c.AppendFragment(nil, op, p, fin)
	}
}

// peerSays is what a peer might send: messages whole and in fragments, with control frames between,
// and at last a Close, an error, or nothing.
func peerSays(r *rand.Rand, peer *Conn) (in []byte) {
	must := func(b []byte, err error) {
		if err != nil {
			panic(err)
		}
		in = b
	}
	for range 1 + r.IntN(8) {
		p := prose(r, r.IntN(1+r.IntN(300)))
		if r.IntN(3) > 0 {
			p = append(p, "κόσμε \U0001F6A2"...)
		}
		switch r.IntN(3) {
		case 0:
			must(peer.AppendMessage(in, frame.Text, p))
		case 1:
			must(peer.AppendPing(in, p[:min(len(p), r.IntN(126))]))
		case 2:
			op := frame.Text
			for len(p) > 0 {
				n := r.IntN(len(p) + 1)
				must(peer.AppendFragment(in, op, p[:n], false))
				if r.IntN(3) == 0 {
					must(peer.AppendPong(in, []byte("alive")))
				}
				p, op = p[n:], frame.Continuation
			}
			must(peer.AppendFragment(in, op, nil, true))
		}
	}
	switch r.IntN(4) {
	case 0:
		must(peer.AppendClose(in, CloseNormal, "done"))
	case 1:
		in = append(in, 0xFF, 0xFF)
	}
	return in
}

// forEachSetting calls f for both roles, without compression and with it, and with Stream.
func forEachSetting(t *testing.T, f func(t *testing.T, cfg Config, d *Deflate)) {
	key := func() uint32 { return testKey }
	forBothRoles(t, func(t *testing.T, role Role) {
		for _, stream := range []bool{false, true} {
			cfg := Config{Role: role, MaxFragments: Off, CompressFrom: 20, Stream: stream, MaskKey: key}
			t.Run(fmt.Sprintf("stream %t", stream), func(t *testing.T) {
				t.Run("plain", func(t *testing.T) { f(t, cfg, nil) })
				eachDeflate(t, func(t *testing.T, d Deflate) { f(t, cfg, &d) })
			})
		}
	})
}

// A connection that moves after every byte that it receives, or after every few, reports and sends
// the same as one that stays.
func TestStateMovesAtEveryByte(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	forEachSetting(t, func(t *testing.T, cfg Config, d *Deflate) {
		r := rand.New(rand.NewPCG(seed, 0))
		for range 6 {
			for _, longest := range []int{1, 40} {
				checkMoves(t, r, cfg, d, longest)
			}
		}
	})
}

func checkMoves(t *testing.T, r *rand.Rand, cfg Config, d *Deflate, longest int) {
	t.Helper()
	peerCfg := cfg
	peerCfg.Role, peerCfg.Stream = 1-cfg.Role, false
	stays, moves, peer := new(Conn), new(Conn), new(Conn)
	stays.Init(&cfg)
	moves.Init(&cfg)
	peer.Init(&peerCfg)
	if d != nil {
		stays.UseDeflate(*d)
		moves.UseDeflate(*d)
		peer.UseDeflate(*d)
	}
	shared := NewPrepared(frame.Text, prose(r, 300))
	in := peerSays(r, peer)
	var sent []byte
	for len(in) > 0 {
		n := min(len(in), 1+r.IntN(longest))
		moves = moved(t, moves)
		want, got := step(stays, in[:n]), step(moves, in[:n])
		in = in[n:]
		for range r.IntN(5) / 4 {
			do := randomAct(r, shared)
			b, err := do(stays)
			b2, err2 := do(moves)
			want = append(want, fmt.Sprintf("%x %v", b, err))
			got = append(got, fmt.Sprintf("%x %v", b2, err2))
			sent = append(sent, b2...)
		}
		if !slices.Equal(got, want) || moves.Finished() != stays.Finished() || moves.CloseExpected() != stays.CloseExpected() {
			t.Fatalf("%d bytes before the end (-stays +moves):\n%s", len(in), cmp.Diff(want, got))
		}
		if a, b := stays.AppendState(nil, NewestState), moves.AppendState(nil, NewestState); !bytes.Equal(a, b) {
			t.Fatalf("%d bytes before the end the states differ:\n%x\n%x", len(in), a, b)
		}
	}
	peer.Feed(sent)
	for ev := peer.Next(); ev.Kind != NeedData; ev = peer.Next() {
		if ev.Kind == Failed {
			t.Fatalf("the peer does not understand what was sent: %v", ev.Err)
		}
	}
}

// These bytes are what processes of version 1 exchange. A change of them is a new version.
func TestStateFormat(t *testing.T) {
	takeover := Deflate{ServerMaxWindowBits: 9}
	for _, tt := range []struct {
		name    string
		role    Role
		deflate *Deflate
		in      []byte
		then    act
		want    string
	}{
		{"new", Server, nil, nil, nil, "01 00 00"},
		{"client", Client, nil, nil, nil, "01 01 00"},
		{"in the head", Server, nil, []byte{0x81, 0xFE, 0x01}, nil, "01 40 00 03 00 01 03 81fe01"},
		{"in a text, in a character", Server, nil, []byte("\x01\x85\x00\x00\x00\x00a\xE2\x82"), nil,
			"01 40 00 09 01 01 00 01 80 bf 03 61e282 02 01 00 02"},
		{"between fragments", Server, nil, frames(t, Server, "02 hi"), nil, "01 40 00 08 02 01 00 00 02 6869 00"},
		{"in a ping, in a message", Client, nil, []byte("\x02\x02hi\x89\x04pin"), nil, "01 41 00 09 02 01 00 00 02 6869 02 89 01 03 70696e"},
		{"closing", Server, nil, nil, func(c *Conn) ([]byte, error) { return c.AppendClose(nil, CloseNormal, "") }, "01 04 00"},
		{"closed", Server, nil, frames(t, Server, "88"), nil, "01 0c 00"},
		{"failed", Server, nil, []byte{0xFF, 0xFF}, nil, "01 14 00"},
		{"compressed", Server, &takeover, []byte("\xC1\x87\x00\x00\x00\x00\xF2\x48\xCD\xC9\xC9\x07\x00"),
			func(c *Conn) ([]byte, error) { return c.AppendFragment(nil, frame.Text, []byte("ahoy"), false) },
			"01 20 02 8f 05 48656c6c6f 89 04 61686f79"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConn(tt.role)
			if tt.deflate != nil {
				c.UseDeflate(*tt.deflate)
			}
			step(c, tt.in)
			if tt.then != nil {
				if _, err := tt.then(c); err != nil {
					t.Fatal(err)
				}
			}
			want, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(tt.want), []byte(" "), nil)))
			if err != nil {
				t.Fatal(err)
			}
			got := c.AppendState(nil, 1)
			if !bytes.Equal(got, want) {
				t.Fatalf("state % x, want % x", got, want)
			}
			checkRefusals(t, c, got)
		})
	}
}

// checkRefusals restores what is nearly c's state.
func checkRefusals(t *testing.T, c *Conn, state []byte) {
	t.Helper()
	refused := func(name string, cfg *Config, state []byte) {
		t.Helper()
		to := new(Conn)
		to.Init(cfg)
		err := to.RestoreState(state)
		if refusal := (*StateError)(nil); !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		}
		fresh := new(Conn)
		fresh.Init(cfg)
		if !reflect.DeepEqual(fresh, to) {
			t.Errorf("%s: left %+v", name, to)
		}
	}
	for n := range state {
		refused(fmt.Sprintf("cut at %d", n), c.cfg, state[:n])
	}
	refused("a byte more", c.cfg, append(bytes.Clone(state), 0))
	for _, version := range []byte{OldestState - 1, NewestState + 1, 255} {
		refused("another version", c.cfg, append([]byte{version}, state[1:]...))
	}
	refused("an unknown flag", c.cfg, append([]byte{state[0], state[1] | 0x80}, state[2:]...))
	other := *c.cfg
	other.Role = 1 - other.Role
	refused("the other role", &other, state)
	other = *c.cfg
	other.Stream = true
	refused("a stream", &other, state)
}

// The limits of the new process apply from the next frame on.
func TestStateUnderOtherLimits(t *testing.T) {
	in := frames(t, Server, "01 twelve bytes", "00 and three more", "80 end")
	for _, tt := range []struct {
		name   string
		cut    int // how much arrived before
		limits Config
		want   string
	}{
		{"the same", 20, Config{MaxMessage: 64}, `text "twelve bytesand three moreend"`},
		{"larger than what is there", 20, Config{MaxMessage: 20}, "failed 1009"},
		{"smaller than what is there", 20, Config{MaxMessage: 5}, "failed 1009"},
		{"of fragments", 20, Config{MaxFragments: 1}, "failed 1008"},
		{"in the last frame", len(in) - 1, Config{MaxMessage: 5}, `text "twelve bytesand three moreend"`},
	} {
		c := newConn(Server)
		step(c, in[:tt.cut])
		to := new(Conn)
		to.Init(&tt.limits)
		if err := to.RestoreState(c.AppendState(nil, NewestState)); err != nil {
			t.Fatal(err)
		}
		if got := transcript(to, in[tt.cut:]); got[0] != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

func TestStateIsNotTakenTooEarly(t *testing.T) {
	panics := func(f func()) (message any) {
		defer func() { message = recover() }()
		f()
		return nil
	}
	c := newConn(Server)
	in := frames(t, Server, "81 one", "81 two")
	c.Feed(in)
	c.Next()
	if p := panics(func() { c.AppendState(nil, NewestState) }); p != "wsproto: AppendState before Next returned NeedData" {
		t.Errorf("with input: %v", p)
	}
	left := c.Unread()
	to := moved(t, c) // the message that was delivered is no part of it
	if got := step(to, left); got[0] != step(c, left)[0] {
		t.Errorf("then %q", got)
	}
	c.Feed(frames(t, Server, "89"))
	c.Next()
	if p := panics(func() { c.AppendState(nil, NewestState) }); p != "wsproto: AppendState before Output" {
		t.Errorf("with output: %v", p)
	}
	for _, version := range []int{OldestState - 1, NewestState + 1} {
		if p := panics(func() { newConn(Server).AppendState(nil, version) }); p == nil {
			t.Errorf("version %d is written", version)
		}
	}
}
