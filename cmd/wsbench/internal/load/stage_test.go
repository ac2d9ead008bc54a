package load

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
)

// speak simulates a plan in the chat's protocol. heard is what the server is told, by
// member.
func speak(t *testing.T, plan Plan) (s *simulation, heard map[uint32][]string) {
	t.Helper()
	d, err := dialect.Open("chat")
	if err != nil {
		t.Fatal(err)
	}
	plan.Dialect, plan.Duration = d, time.Second
	s = simulate(t, plan, 2)
	heard = map[uint32][]string{}
	s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) {
		heard[from.ID] = append(heard[from.ID], string(p))
		answer := `{"type":"ack"}`
		if strings.Contains(string(p), `"auth"`) {
			answer = `{"type":"auth_ok"}`
		}
		arrive(from, []byte(answer))
	}
	return s, heard
}

// bring has all members come to a stage.
func (s *simulation) bring(to Stage) {
	for _, m := range s.load.Members() {
		s.load.Connect(m, to)
	}
	s.run(s.now + int64(time.Second))
}

// Members join all rooms of their group, at once, when they are told to, and not when
// they log in.
func TestStages(t *testing.T) {
	s, heard := speak(t, Plan{Scenario: Idle, Conns: 5, RoomSize: 2, Rooms: 3})
	s.bring(Apart)
	if n := s.load.Reached(Apart); n != 5 || s.load.Reached(All) != 0 {
		t.Fatalf("%d of 5 have logged in, %d have joined", n, s.load.Reached(All))
	}
	if ready, gone := s.load.Ready(); ready != 5 || gone != 0 {
		t.Errorf("%d are ready, %d gone", ready, gone)
	}
	if got := len(heard[4]); got != 1 {
		t.Errorf("%d messages before the joins: %q", got, heard[4])
	}
	s.bring(All)
	if n := s.load.Reached(All); n != 5 {
		t.Fatalf("%d of 5 have joined", n)
	}
	want := []string{`{"type":"auth","token":""}`, `{"type":"join","receiver_id":"bench-1"}`, `{"type":"join","receiver_id":"bench-1-1"}`, `{"type":"join","receiver_id":"bench-1-2"}`}
	for _, id := range []uint32{2, 3} {
		if !slices.Equal(heard[id], want) {
			t.Errorf("member %d says %q, want %q", id, heard[id], want)
		}
	}
	got := s.load.Take()
	if got.Login.Count() != 5 || got.Join.Count() != 5 {
		t.Errorf("%d log-ins and %d joins are timed", got.Login.Count(), got.Join.Count())
	}
	near(t, "three joins, sent at once", got.Join.Max(), time.Millisecond)
	s.load.Close()
	s.run(s.now + int64(time.Second))
	if ready, gone := s.load.Ready(); ready != 0 || gone != 5 {
		t.Errorf("closed: %d are ready, %d gone", ready, gone)
	}
}

// A connection that ends between its log-in and its rooms is waited for no longer.
func TestLostBeforeItsRooms(t *testing.T) {
	s, _ := speak(t, Plan{Scenario: Idle, Conns: 3, RoomSize: 2})
	s.bring(Apart)
	m := s.load.Members()[1]
	s.links[m].end(1006, false)
	if ready, gone := s.load.Ready(); ready != 2 || gone != 1 || s.load.Reached(Apart) != 3 {
		t.Errorf("%d are ready, %d gone, %d are there", ready, gone, s.load.Reached(Apart))
	}
	s.load.Close()
	s.run(s.now + int64(time.Second))
	if ready, gone := s.load.Ready(); ready != 0 || gone != 3 {
		t.Errorf("closed: %d are ready, %d gone", ready, gone)
	}
}

// A log-in is timed from its beginning to the last answer.
func TestLogin(t *testing.T) {
	s, _ := speak(t, Plan{Scenario: Login, Conns: 4, RoomSize: 2, Rooms: 2})
	s.bring(All)
	got := s.load.Take()
	if got.Latency.Count() != 4 || got.Opened != 4 {
		t.Fatalf("%d log-ins on %d connections", got.Latency.Count(), got.Opened)
	}
	near(t, "handshake, auth and joins", got.Latency.Max(), 3*time.Millisecond)
}

func TestLoginPlans(t *testing.T) {
	d, err := dialect.Open("chat")
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Plan){
		"":                   func(p *Plan) {},
		"login has no rate":  func(p *Plan) { p.Rate = 10 },
		"needs a protocol":   func(p *Plan) { p.Dialect = nil },
		"--returning is for": func(p *Plan) { p.Scenario, p.Returning = Idle, true },
		"--at-once is for":   func(p *Plan) { p.AtOnce = -1 },
		"--room-size is 0":   func(p *Plan) { p.RoomSize = 0 },
		"--rooms is -1":      func(p *Plan) { p.Rooms = -1 },
		"--rooms 65536":      func(p *Plan) { p.Rooms = 1 << 20 },
	} {
		p := Plan{Scenario: Login, Conns: 1, RoomSize: 2, Rooms: 2, AtOnce: 3, Size: 64, Duration: time.Second, Timeout: time.Second, Dialect: d}
		change(&p)
		err := p.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
