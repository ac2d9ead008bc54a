package load

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// toGroup is a server that sends each message to everybody in the sender's
// room, to each one a microsecond after the one before.
func (s *simulation) toGroup(from *Member, p []byte, arrive func(*Member, []byte)) {
	var k int64
	for _, m := range s.load.Members() {
		if m.group == from.group && (m != from || m.group.self) {
			q := bytes.Clone(p)
			s.at(s.now+k*1000, func() { arrive(m, q) })
			k++
		}
	}
}

// The last receiver's latency is that of the last of ten, over all shards.
func TestFanoutLastReceiver(t *testing.T) {
	for _, shards := range []int{1, 3} {
		for name, plan := range map[string]Plan{
			"closed": {Scenario: Fanout, Conns: 9, Publishers: 1, Self: true, Inflight: 1, Duration: time.Second},
			"open":   {Scenario: Fanout, Conns: 9, Publishers: 1, Self: true, Rate: 400, Duration: time.Second},
			"others": {Scenario: Fanout, Conns: 10, Publishers: 1, Rate: 400, Duration: time.Second},
		} {
			t.Run(name, func(t *testing.T) {
				s := simulate(t, plan, shards)
				s.deliver = s.toGroup
				got := s.measure()
				n := got.Last.Count()
				if n < 300 || got.Latency.Count() != 10*n {
					t.Fatalf("%d publications reached all, with %d copies", n, got.Latency.Count())
				}
				near(t, "the last receiver's latency", got.Last.Percentile(99), time.Millisecond+9*time.Microsecond)
				near(t, "the first's", got.Latency.Percentile(1), time.Millisecond)
				if f, _ := s.load.Finish(nil); f.Total() != 0 {
					t.Errorf("%+v", f)
				}
			})
		}
	}
}

func TestChatRooms(t *testing.T) {
	s := simulate(t, Plan{Scenario: Chat, Conns: 10, RoomSize: 4, Self: true, Rate: 100, Duration: time.Second}, 2)
	s.deliver = s.toGroup
	got := s.measure()
	// Rooms of 4, 4 and 2: of ten messages eight go to 4 and two to 2.
	if got.Sent != 100 || got.Received != 10*(8*4+2*2) {
		t.Errorf("%d sent, %d received", got.Sent, got.Received)
	}
	if f, _ := s.load.Finish(nil); f.Total() != 0 {
		t.Errorf("%+v", f)
	}
}

func TestConnect(t *testing.T) {
	s := simulate(t, Plan{Scenario: Connect, Conns: 5, Inflight: 1, Duration: time.Second}, 2)
	got := s.measure()
	near(t, "closed loop: a handshake", got.Handshake.Percentile(99), time.Millisecond)
	if n := got.Handshake.Count(); n < 4900 || n > 5000 {
		t.Errorf("%d handshakes by five at a millisecond each", n)
	}

	// A hundred in a second are due, and one takes 50 ms: three connections can
	// make only sixty. The rest waits, and the wait is part of the latency.
	s = simulate(t, Plan{Scenario: Connect, Conns: 3, Rate: 100, Duration: time.Second}, 1)
	s.accept = func(at int64) int64 { return at + int64(50*time.Millisecond) }
	got = s.measure()
	if got.Handshake.Count()+int64(got.Postponed) != 100 || got.Postponed < 30 {
		t.Errorf("%d handshakes, %d never begun", got.Handshake.Count(), got.Postponed)
	}
	if max := got.Handshake.Max(); max < 350*time.Millisecond {
		t.Errorf("the longest is %v; the backlog grows to 400ms", max)
	}
}

func TestChurn(t *testing.T) {
	for name, plan := range map[string]Plan{
		"closed": {Scenario: Churn, Conns: 10, Messages: 5, Inflight: 1, Duration: time.Second},
		"open":   {Scenario: Churn, Conns: 10, Messages: 5, Rate: 50, Duration: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, plan, 2)
			got := s.measure()
			f, ends := s.load.Finish(nil)
			if f.Total() != 0 || len(ends) != 0 || got.Postponed != 0 {
				t.Errorf("%+v, %v, %d postponed", f, ends, got.Postponed)
			}
			if n := got.Late.Count(); plan.Open() && n != 50 {
				t.Errorf("%d were due, and lateness is known of %d", 50, n)
			}
			// Six milliseconds for a handshake and five answers.
			want := int64(10 * 1000 / 6)
			if plan.Open() {
				want = 50
			}
			if n := got.Handshake.Count(); n < want*9/10 || n > want {
				t.Errorf("%d handshakes, want about %d", n, want)
			}
			if got.Received < uint64(want*4) {
				t.Errorf("%d messages on %d connections", got.Received, want)
			}
		})
	}
}

func TestStorm(t *testing.T) {
	s := simulate(t, Plan{Scenario: Storm, Conns: 20, StormEvery: 300 * time.Millisecond, Duration: time.Second}, 2)
	// The server does one handshake in a millisecond.
	var free int64
	s.accept = func(at int64) int64 {
		free = max(free, at) + int64(time.Millisecond)
		return free
	}
	got := s.measure()
	if got.Handshake.Count() != 4*20 || got.Back.Count() != 4*20 {
		t.Fatalf("%d handshakes, %d back; want four storms of 20", got.Handshake.Count(), got.Back.Count())
	}
	near(t, "the last one back", got.Back.Max(), 21*time.Millisecond)
}

// A connection that the server ends is counted, with its code.
func TestBrokenConnections(t *testing.T) {
	s := simulate(t, Plan{Scenario: Echo, Conns: 2, Rate: 100, Duration: time.Second}, 1)
	s.at(int64(1500*time.Millisecond), func() {
		s.links[s.load.Members()[0]].end(wsproto.CloseTryAgainLater, false)
	})
	got := s.measure()
	_, ends := s.load.Finish(nil)
	if got.Broken != 1 || ends["closed by the server with 1013 try again later"] != 1 {
		t.Errorf("%d broken, %v", got.Broken, ends)
	}
	if got.Sent != 100 {
		t.Errorf("%d sent: the other connection takes over", got.Sent)
	}
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		plan Plan
		n    int
		want []Share
	}{
		{Plan{Scenario: Echo, Conns: 10}, 3, []Share{{0, 3}, {3, 6}, {6, 10}}},
		{Plan{Scenario: Fanout, Conns: 4, Publishers: 4}, 4, []Share{{0, 4}, {4, 4}, {4, 6}, {6, 8}}},
		{Plan{Scenario: Chat, Conns: 10, RoomSize: 4}, 2, []Share{{0, 4}, {4, 10}}},
		{Plan{Scenario: Echo, Conns: 1}, 2, []Share{{0, 0}, {0, 1}}},
	} {
		got := c.plan.Shares(c.n)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("%v by %d: %v, want %v", c.plan.Scenario, c.n, got, c.want)
				break
			}
		}
	}
}

// The hot path allocates nothing.
func TestEchoAllocatesNothing(t *testing.T) {
	plan := &Plan{Scenario: Echo, Conns: 1, Inflight: 1, Size: 128, Duration: time.Hour, Timeout: time.Second}
	now := int64(time.Second)
	l := New(plan, Share{0, 1}, 1, func() int64 { return now }, nil)
	m := l.Members()[0]
	link := &looped{}
	m.Shard.Opened(m, link, 0)
	l.Start(now, 0, 1)
	if n := testing.AllocsPerRun(1000, func() {
		now += 1000
		m.Shard.Message(m, link, link.op, append(link.back[:0], link.sent...))
	}); n > 0 {
		t.Errorf("%v allocations for a message", n)
	}
}

// A load that is closed while connections are being made closes these as well.
func TestCloseWhileConnecting(t *testing.T) {
	s := simulate(t, Plan{Scenario: Echo, Conns: 3, Inflight: 1, Duration: time.Second}, 2)
	s.accept = func(at int64) int64 { return at + int64(time.Second) }
	members := s.load.Members()
	for _, m := range members[:2] {
		s.load.Connect(m, All)
	}
	s.run(int64(time.Millisecond))
	s.load.Close()
	if n := s.load.Outstanding(nil); n != 2 {
		t.Fatalf("%d connections in the making, want 2", n)
	}
	s.run(int64(2 * time.Second))
	ready, gone := s.load.Ready()
	if n := s.load.Outstanding(nil); ready != 0 || gone != 2 || n != 0 || len(s.links) != 0 {
		t.Errorf("%d ready, %d gone, %d outstanding, %d links", ready, gone, n, len(s.links))
	}
	if got := s.load.Take(); got.Opened != 2 || got.Closed != 2 || got.Broken != 0 {
		t.Errorf("%d opened, %d closed, %d broken", got.Opened, got.Closed, got.Broken)
	}
}

// A client that is refused tries again after 10, 20, 40 … ms, and comes back when
// there is room.
func TestRefusedConnectionsRest(t *testing.T) {
	for name, plan := range map[string]Plan{
		"storm":   {Scenario: Storm, Conns: 10, StormEvery: 400 * time.Millisecond, Duration: 300 * time.Millisecond},
		"churn":   {Scenario: Churn, Conns: 10, Messages: 1, Inflight: 1, Duration: 300 * time.Millisecond},
		"connect": {Scenario: Connect, Conns: 10, Inflight: 1, Duration: 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, plan, 1)
			var down [2]int64
			s.refuse = func(at int64) bool { return down[0] <= at && at < down[1] }
			if plan.Scenario != Connect {
				s.connect()
			}
			down = [2]int64{s.now, s.now + int64(100*time.Millisecond)}
			got := s.measureConnected()
			// Ten members, each at 0, 10, 30 and 70 ms at most.
			if got.Refused == 0 || got.Refused > 40 {
				t.Errorf("%d refused in 100 ms", got.Refused)
			}
			if got.Opened < 10 {
				t.Errorf("%d opened", got.Opened)
			}
			if plan.Scenario == Storm && got.Back.Count() != 10 {
				t.Errorf("%d of 10 came back", got.Back.Count())
			}
		})
	}
}

// A member that rests when the run ends is not waited for.
func TestResting(t *testing.T) {
	s := simulate(t, Plan{Scenario: Storm, Conns: 3, StormEvery: 100 * time.Millisecond, Duration: 150 * time.Millisecond}, 1)
	s.connect()
	s.refuse = func(int64) bool { return true }
	s.measureConnected()
	if ready, gone := s.load.Ready(); ready != 0 || gone != 3 {
		t.Errorf("%d ready, %d gone", ready, gone)
	}
}

// Above a server's capacity the rate of handshakes is what it does, not what of it
// was due in the measured time.
func TestConnectAboveCapacity(t *testing.T) {
	s := simulate(t, Plan{Scenario: Connect, Conns: 10, Rate: 10_000, Warmup: time.Second, Duration: time.Second}, 1)
	s.accept = func(at int64) int64 { return at + int64(10*time.Millisecond) }
	got := s.measure()
	// Ten at a time, 10 ms each, and a nanosecond to close: 1000 in a second.
	if got.Opened < 980 || got.Opened > 1000 {
		t.Errorf("%d opened in a second", got.Opened)
	}
}

// A publisher's own message, if it must not come back but does, is unsolicited.
func TestOwnCopies(t *testing.T) {
	s := simulate(t, Plan{Scenario: Fanout, Conns: 2, Publishers: 1, Rate: 100, Duration: time.Second}, 1)
	s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) {
		for _, m := range s.load.Members() {
			arrive(m, bytes.Clone(p))
		}
	}
	got := s.measure()
	f, _ := s.load.Finish(nil)
	if got.Received != 200 || f.Count[Unsolicited] != 100 || f.Total() != 100 {
		t.Errorf("%d received, %v", got.Received, f.Count)
	}
}

func TestPlanBounds(t *testing.T) {
	good := Plan{Scenario: Slow, Conns: 10, Publishers: 1, SlowShare: 0.5, Size: 64, Rate: 10, Duration: time.Second, Timeout: time.Second}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for flag, spoil := range map[string]func(p *Plan){
		"--rate":       func(p *Plan) { p.Rate = math.Inf(1) },
		"--rate ":      func(p *Plan) { p.Rate = math.NaN() },
		"--conns":      func(p *Plan) { p.Conns = 1 << 40 },
		"--size":       func(p *Plan) { p.Size = math.MaxInt },
		"--inflight":   func(p *Plan) { p.Rate, p.Inflight = 0, 1<<32 },
		"--publishers": func(p *Plan) { p.Publishers = 1 << 40 },
		"--slow-share": func(p *Plan) { p.SlowShare = math.NaN() },
		"--room-size":  func(p *Plan) { p.Scenario, p.RoomSize = Chat, math.MaxInt },
		"idle":         func(p *Plan) { p.Scenario = Idle },
	} {
		p := good
		spoil(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(flag)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
