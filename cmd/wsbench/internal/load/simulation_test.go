package load

import (
	"bytes"
	"container/heap"
	"errors"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// simulation runs a Load against a computed server: time passes only from one
// event to the next, and nothing is measured, so that every figure is exact.
type simulation struct {
	t      *testing.T
	now    int64
	events events
	order  int
	load   *Load
	links  map[*Member]*simulated

	// answer says when the server answers what it was sent at a time.
	answer func(at int64) int64
	// deliver is given each message when its time has come and passes on what
	// is to arrive; by default the message itself, to its sender.
	deliver func(from *Member, p []byte, arrive func(to *Member, p []byte))
	// accept says when a handshake begun at a time is done.
	accept func(at int64) int64
	// refuse, if set, says which handshakes fail.
	refuse func(at int64) bool
}

type event struct {
	at    int64
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func simulate(t *testing.T, plan Plan, shards int) *simulation {
	t.Helper()
	if plan.Size == 0 {
		plan.Size = 64
	}
	if plan.Timeout == 0 {
		plan.Timeout = 5 * time.Second
	}
	if err := plan.Check(); err != nil {
		t.Fatal(err)
	}
	s := &simulation{t: t, links: map[*Member]*simulated{}}
	s.answer = func(at int64) int64 { return at + int64(time.Millisecond) }
	s.accept = s.answer
	s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) { arrive(from, p) }
	s.load = New(&plan, Share{0, plan.Members()}, shards, func() int64 { return s.now }, s)
	return s
}

func (s *simulation) at(t int64, do func()) {
	s.order++
	heap.Push(&s.events, event{t, s.order, do})
}

// Dial is what Load asks for.
func (s *simulation) Dial(m *Member) {
	s.at(s.now, func() {
		m.Shard.Dialing(m)
		if s.refuse != nil && s.refuse(s.now) {
			m.Shard.Refused(m, errors.New("full"))
			return
		}
		s.at(s.accept(s.now), func() {
			link := &simulated{s, m}
			s.links[m] = link
			m.Shard.Opened(m, link, 1000)
		})
	})
}

// connect opens every member's connection.
func (s *simulation) connect() {
	for _, m := range s.load.Members() {
		s.load.Connect(m, All)
	}
	s.run(s.now + int64(time.Second))
}

// measure runs the whole plan and returns what was counted in it.
func (s *simulation) measure() Tally {
	if s.load.Plan.Scenario != Connect {
		s.connect()
	}
	return s.measureConnected()
}

func (s *simulation) measureConnected() Tally {
	p := s.load.Plan
	s.load.Take()
	begin := s.now
	s.load.Start(begin, 0, 1)
	end := begin + int64(p.Warmup+p.Duration)
	for i, shard := range s.load.Shards {
		// A loop wakes exactly when something is due, and every millisecond.
		if schedule := shard.ScheduleFrom(begin, i, len(s.load.Shards)); schedule != nil {
			var next func()
			next = func() {
				shard.Tick()
				if schedule.Pass(); schedule.Due() < end {
					s.at(schedule.Due(), next)
				}
			}
			s.at(schedule.Due(), next)
		}
	}
	for at := begin; at < end; at += int64(time.Millisecond) {
		s.at(at, func() {
			for _, shard := range s.load.Shards {
				shard.Tick()
			}
		})
	}
	s.run(end)
	s.load.Stop()
	s.run(end + int64(p.Timeout))
	return s.load.Take()
}

// run lets time pass until a moment.
func (s *simulation) run(until int64) {
	for len(s.events) > 0 && s.events[0].at <= until {
		e := heap.Pop(&s.events).(event)
		s.now = max(s.now, e.at)
		e.do()
	}
	s.now = until
}

// simulated is a connection.
type simulated struct {
	s *simulation
	m *Member
}

func (l *simulated) Send(op frame.Opcode, p []byte) error {
	p = bytes.Clone(p)
	l.s.at(l.s.answer(l.s.now), func() {
		l.s.deliver(l.m, p, func(to *Member, p []byte) {
			if l.s.links[to] != nil {
				to.Shard.Message(to, l.s.links[to], op, p)
			}
		})
	})
	return nil
}

func (l *simulated) Close(code wsproto.CloseCode, reason string) error {
	l.s.at(l.s.now+1, func() { l.end(code, true) })
	return nil
}

func (l *simulated) end(code wsproto.CloseCode, local bool) {
	if l.s.links[l.m] == l {
		delete(l.s.links, l.m)
		l.m.Shard.Closed(l.m, code, "", local, nil)
	}
}

func (l *simulated) Pause(bool) {}

// looped keeps the last message.
type looped struct {
	op         frame.Opcode
	sent, back []byte
}

func (l *looped) Send(op frame.Opcode, p []byte) error {
	l.op, l.sent = op, append(l.sent[:0], p...)
	if l.back == nil {
		l.back = make([]byte, 0, 1024)
	}
	return nil
}
func (l *looped) Close(wsproto.CloseCode, string) error { return nil }
func (l *looped) Pause(bool)                            {}
