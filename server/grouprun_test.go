package server

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Messages to groups that one read causes, among them versions of a state and messages that some
// are excepted from, reach every member in the order in which they were sent, whether it compresses
// or not, and before what the frames after them cause.
func TestGroupRuns(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	type sent struct {
		m      *wsproto.Prepared
		group  int
		except int    // a client, or -1
		key    string // of a state
		direct bool   // to the sender, without a group
	}
	var script []sent
	var groups [2]*Group
	var hs []Conn
	opened := make(chan Conn, 1)
	ts := start(t, Config{
		Loops: 1, MaxControlRate: Off, CompressFrom: 1,
		Handler: funcs{
			open: func(c LoopConn) { opened <- c.Conn() },
			message: func(c LoopConn, op frame.Opcode, p []byte) {
				if len(p) == 0 {
					return
				}
				var i int
				fmt.Sscan(string(p), &i)
				switch s := script[i]; {
				case s.direct:
					c.Send(s.m.Opcode(), s.m.Payload())
				case s.key != "":
					groups[s.group].SendNewest(s.m, s.key)
				case s.except >= 0:
					groups[s.group].Send(s.m, Evict, hs[s.except])
				default:
					groups[s.group].Send(s.m, Evict)
				}
			},
		},
		Upgrader: handshake.Upgrader{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}},
	})
	var cs []*client
	for i := range groups {
		groups[i] = ts.NewGroup()
	}
	for _, o := range []*handshake.DeflateOptions{nil, {}, nil, {ServerContextTakeover: true}} {
		cs = append(cs, ts.dialWith(t, "/", &handshake.DialOptions{Deflate: o}))
		hs = append(hs, receive(t, opened))
		groups[0].Join(hs[len(hs)-1])
	}
	for _, h := range hs[1:] {
		groups[1].Join(h)
	}
	const sender = 3
	words := make([]string, 8) // that occur again, so that compressed messages refer to those before
	for i := range words {
		words[i] = hex.EncodeToString(binary.BigEndian.AppendUint64(nil, random.Uint64()))
	}
	for round := range 200 {
		script = script[:0]
		for i := range 1 + random.IntN(30) {
			s := sent{group: min(random.IntN(6), 1), except: -1}
			switch random.IntN(8) {
			case 0:
				s.except = random.IntN(len(cs))
			case 1:
				s.key = fmt.Sprint("state ", i) // of its own, so that none is replaced
			case 2:
				s.direct = true
			}
			size := random.IntN(200)
			if random.IntN(20) == 0 {
				size = random.IntN(maxRun)
			}
			s.m = text(fmt.Sprintf("%d.%d %s", round, i, strings.Repeat(words[random.IntN(len(words))], 1+size/16)))
			script = append(script, s)
		}
		var input []byte
		pongs := map[int]bool{} // after which messages
		for i := range script {
			input = append(input, masked(0x81, fmt.Sprint(i))...)
			switch random.IntN(10) {
			case 0:
				input = append(input, masked(0x81, "")...)
			case 1:
				input = append(input, masked(0x89, fmt.Sprint(i))...)
				pongs[i] = true
			}
		}
		cs[sender].raw(input)
		for i, s := range script {
			for n, c := range cs {
				in := s.group == 0 || n > 0
				if s.direct && n == sender || !s.direct && in && n != s.except {
					if got := c.event(); got.Kind != wsproto.Message || string(got.Payload) != string(s.m.Payload()) {
						t.Fatalf("client %d was sent %v of %d bytes; want message %d of round %d", n, got.Kind, len(got.Payload), i, round)
					}
				}
			}
			if pongs[i] {
				cs[sender].expect(fmt.Sprintf("pong %q", fmt.Sprint(i)))
			}
		}
	}
	// A Close frame, or what fails the connection, comes after all of them.
	for n, last := range []struct {
		first   byte
		payload string
		code    int
	}{{0x88, "\x03\xe8", 1000}, {0x81, "\xff", 1007}, {0x83, "", 1002}} {
		c := cs[n+1]
		script = []sent{{m: text("one"), except: -1}, {m: text("two"), except: -1}}
		c.raw(slices.Concat(masked(0x81, "0"), masked(0x81, "1"), masked(last.first, last.payload)))
		for _, member := range slices.Concat(cs[:1], cs[n+1:]) {
			member.expect(`text "one"`, `text "two"`)
		}
		c.expect(fmt.Sprintf("close %d", last.code))
	}
}

// What waits to be sent with more does not fill a small mailbox: it is refused nothing that it would
// take if every message were sent at once.
func TestGroupRunInSmallMailbox(t *testing.T) {
	const n = 200
	var g *Group
	m := text("told")
	refused := make(chan int, 1)
	sent, busy := 0, 0
	ts := start(t, Config{
		Loops: 1, WriteQueue: 4 << 10, MemoryBudget: 8 << 10,
		Handler: funcs{
			open: func(c LoopConn) { g.Join(c.Conn()) },
			message: func(c LoopConn, op frame.Opcode, p []byte) {
				if g.Send(m, Evict) != nil {
					busy++
				}
				if sent++; sent == n {
					refused <- busy
				}
			},
		},
	})
	g = ts.NewGroup()
	c := ts.dial(t, "/")
	var input []byte
	for range n {
		input = append(input, masked(0x81, "x")...)
	}
	c.raw(input)
	if got := receive(t, refused); got > 0 {
		t.Errorf("%d of %d messages were refused", got, n)
	}
	for range n {
		c.expect(`text "told"`)
	}
}

// While a version of a state waits for a slow member, the other messages of its run need not.
func TestStateKeepsNoRun(t *testing.T) {
	ts, _, _, hs := slow(t, 1, Config{}, nil)
	g := ts.NewGroup()
	g.Join(hs[0])
	hs[0].Send(frame.Binary, noise(200_000)) // more than goes through the gate
	ts.clock.settle()
	l := ts.loops[0]
	h, err := l.holdLoop()
	if err != nil {
		t.Fatal(err)
	}
	defer close(h.run)
	<-h.held
	g.SendNewest(text("state"), "state")
	g.Send(text(strings.Repeat("x", 20_000)), Evict)
	h.do(func() { l.iterate(nil) })
	h.do(func() {
		states := 0
		for _, s := range hs[0].conn.out.segs {
			if s.of == nil {
				continue
			}
			if states++; cap(s.b) > 1000 {
				t.Errorf("%d bytes of memory are kept for a state of %d", cap(s.b), len(s.b))
			}
		}
		if states != 1 {
			t.Errorf("%d states wait", states)
		}
	})
}
