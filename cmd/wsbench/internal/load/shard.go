package load

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Shard is the members that one event loop drives. Its methods may be called
// from any goroutine; on its loop the lock is free.
type Shard struct {
	// Immutable.
	load    *Load
	plan    *Plan
	index   int
	members []*Member
	senders []*Member

	// Poke, if set before Start, has Tick called soon.
	Poke func()

	mu sync.Mutex
	// Guarded by mu.
	running   bool
	kicked    bool // the closed loop was set going
	started   bool
	over      bool  // connections that open are closed again
	begin     int64 // when the load began, warm-up included
	from, to  int64 // the measured part: due from, before to
	schedule  Times
	nextUp    int     // index into senders
	backlog   []int64 // when connections were due that no member was free for
	thinkers  thinkers
	idle      []*Member
	resting   []*Member // down because they were refused, until they try again
	nextStorm int64
	lastSweep int64
	lastTurn  int64
	turn      int
	tally     Tally
	cut       bool   // the run is cut short: see lacks
	pending   uint64 // of the member that is being looked at, where cut
	faults    Faults
	strange   map[*Member]string // the first message of some that could not be told apart
	ends      map[string]int     // how connections ended, or why they did not begin
	payload   []byte
	message   []byte
	instead   []byte // what was last heard in an opening in place of what is expected
}

// turnEvery is how often slow readers take turns, and of how many of these
// turns each reads in one.
const (
	turnEvery  = 10 * time.Millisecond
	slowSlots  = 100
	sweepEvery = 500 * time.Millisecond
	maxBurst   = 1024 // messages sent in one go, so that reading is not forgotten
)

func (s *Shard) start(at int64, part, parts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.started = true, true
	s.begin, s.from = at, at+int64(s.plan.Warmup)
	s.to = s.from + int64(s.plan.Duration)
	s.nextStorm = s.from
	for _, m := range s.members {
		m.progress = at
		if m.state == down && s.plan.Cycles() {
			s.idle = append(s.idle, m)
		}
	}
	s.schedule = s.ScheduleFrom(at, part, parts)
	s.kicked = false
	if now := s.load.now(); now >= at {
		s.kick(now)
	}
}

// kick sets the closed loop going, and what churn begins with.
func (s *Shard) kick(now int64) {
	s.kicked = true
	switch {
	case s.plan.Scenario == Connect && !s.plan.Open():
		for _, m := range s.idle {
			s.dial(m, now)
		}
		s.idle = nil
	case s.plan.Scenario == Churn || s.plan.Inflight > 0 && s.plan.Scenario != Storm:
		for i, m := range s.senders {
			m.progress = now
			m.cycling = s.plan.Scenario == Churn && !s.plan.Open()
			if s.plan.Think > 0 { // they do not all begin at once
				s.think(m, now+int64(s.plan.Think)*int64(i)/int64(len(s.senders)))
			}
			s.after(m, now)
		}
	}
}

// stop ends sending. Messages that were due by now are sent, however late; those that
// cannot be are counted.
func (s *Shard) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return
	}
	now := s.load.now()
	for s.schedule != nil && s.schedule.Due() < min(s.to, now) {
		due := s.schedule.Due()
		if s.plan.Cycles() || !s.sendOne(due, now) {
			s.postpone(due)
		}
		s.schedule.Pass()
	}
	for _, due := range s.backlog {
		s.postpone(due)
	}
	s.backlog = nil
	s.endResting()
	s.running = false
}

// postpone counts something that was due and was not begun.
func (s *Shard) postpone(due int64) {
	if s.measured(due) {
		s.tally.Postponed++
	}
}

// ScheduleFrom is the moments at which this shard has something to send, or nil
// in closed loop. part is the shard's number among the parts of all workers.
func (s *Shard) ScheduleFrom(at int64, part, parts int) Times {
	if s.plan.Scenario == Replay {
		return s.newScript(at)
	}
	mine := len(s.senders)
	if s.plan.Scenario == Connect {
		mine = len(s.members)
	}
	if !s.plan.Open() || mine == 0 {
		return nil
	}
	share := float64(mine) / float64(s.load.senders())
	stages := slices.Clone(s.plan.Stages)
	for i := range stages {
		stages[i].Rate *= share
	}
	schedule := NewSchedule(at, s.plan.Rate*share, float64(part)/float64(parts), s.plan.Warmup, stages...)
	if s.plan.Poisson {
		schedule.MakeIrregular(s.plan.Seed, uint64(part))
	}
	return schedule
}

func (s *Shard) measured(t int64) bool { return s.from <= t && t < s.to }

// Tick does what is due.
func (s *Shard) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.load.now()
	if s.running && !s.kicked && now >= s.begin {
		s.kick(now)
	}
	if s.running && len(s.resting) > 0 {
		s.tryAgain(now)
	}
	if s.running && s.schedule != nil {
		s.sendDue(now)
	}
	s.wakeThinkers(now)
	if s.plan.Scenario == Storm && s.running && s.nextStorm > 0 && now >= s.nextStorm && s.nextStorm < s.to {
		s.breakAll(s.nextStorm, now)
		s.nextStorm += int64(s.plan.StormEvery)
	}
	if s.plan.Scenario == Slow && now-s.lastTurn >= int64(turnEvery) {
		s.lastTurn = now
		s.takeTurns()
	}
	if s.running && !s.plan.Open() && s.plan.Grouped() {
		// Other shards may have completed what was published here.
		for _, m := range s.senders {
			s.refill(m, now)
		}
	}
	if now-s.lastSweep >= int64(sweepEvery) {
		s.lastSweep = now
		s.giveUp(now)
	}
}

// takeTurns lets one in slowSlots of the slow members read for one turn.
func (s *Shard) takeTurns() {
	s.turn++
	for i, m := range s.members {
		if m.slow && m.state == ready {
			switch (i + s.turn) % slowSlots {
			case 0:
				m.link.Pause(false)
			case 1:
				m.link.Pause(true)
			}
		}
	}
}

// Lag records how many nanoseconds after it was called the loop ran.
func (s *Shard) Lag(ns int64) {
	s.mu.Lock()
	s.tally.Lag.Record(ns)
	s.mu.Unlock()
}

// Message takes what arrived on a connection. p is not kept, nor is here, which is the
// connection while Message runs: on its own loop there is a shorter way than that of the
// Link that Opened was given.
func (s *Shard) Message(m *Member, here Link, op frame.Opcode, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link := m.link
	m.link = here
	now := s.load.now()
	s.arrived(m, op, p, now)
	m.link = link
	if s.running && s.schedule != nil && s.schedule.Due() <= now {
		s.sendDue(now) // a busy loop need not be called for it
	}
	s.wakeThinkers(now)
}

func (s *Shard) arrived(m *Member, op frame.Opcode, p []byte, now int64) {
	if s.plan.Scenario == Replay {
		s.replied(m, p, now)
		return
	}
	d := s.plan.Dialect
	if d == nil {
		if (op == frame.Binary) != s.plan.Binary {
			s.damaged(m, op, p, now)
		} else {
			s.delivered(m, op, p, now)
		}
		s.after(m, now)
		return
	}
	for {
		part, rest, more := d.Split(p)
		if !more {
			break
		}
		s.heard(m, op, part, now)
		p = rest
	}
	s.after(m, now)
}

// after does what follows from an answer.
func (s *Shard) after(m *Member, now int64) {
	if m.out == nil || m.state != ready {
		return
	}
	switch {
	case m.cycling && s.settled(m):
		s.close(m, now)
		return
	case s.plan.Scenario == Churn && len(s.backlog) > 0 && s.settled(m):
		due := s.backlog[0]
		s.backlog = s.backlog[1:]
		s.cycle(m, due, now)
		return
	}
	s.refill(m, now)
}

// end counts how a connection ended.
func (s *Shard) end(format string, args ...any) {
	if s.ends == nil {
		s.ends = map[string]int{}
	}
	key := fmt.Sprintf(format, args...)
	if _, ok := s.ends[key]; !ok && len(s.ends) >= 50 {
		key = "other reasons"
	}
	s.ends[key]++
}

// close starts the closing handshake.
func (s *Shard) close(m *Member, now int64) {
	switch m.state {
	case ready:
		s.unready(m)
	case waiting:
		s.load.count(&s.load.apart, -1)
	}
	m.state, m.closed = closing, now
	m.link.Close(wsproto.CloseNormal, "")
}

func (s *Shard) unready(m *Member) {
	s.load.count(&s.load.ready, -1)
	if m.group != nil && !m.slow {
		m.group.open.Add(-1)
	}
}

// Index is the shard's place among its Load's.
func (s *Shard) Index() int { return s.index }
