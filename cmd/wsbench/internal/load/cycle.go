package load

import (
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Stage is how far a member comes before the load begins.
type Stage uint8

const (
	All   Stage = iota // it is connected and has said all that its protocol begins with
	Known              // it has its token, and is not connected
	Apart              // it is connected and has logged in, and is in no room yet
)

// Connect has a member come to a stage that it has not reached yet.
func (l *Load) Connect(m *Member, to Stage) {
	s := m.Shard
	s.mu.Lock()
	defer s.mu.Unlock()
	m.to = to
	now := l.now()
	switch m.state {
	case waiting:
		l.count(&l.apart, -1)
		m.state, m.opened = opening, now
		s.introduce(m, now)
	case prepared:
		l.count(&l.known, -1)
		s.dial(m, now)
	case down:
		s.dial(m, now)
	}
}

// Known takes note that a member has its token, which took so many nanoseconds to get.
// It reports whether that is all that is wanted for now.
func (s *Shard) Known(m *Member, took int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.Token.Record(took)
	if m.to != Known {
		return false
	}
	m.state = prepared
	s.load.count(&s.load.known, 1)
	return true
}

func (s *Shard) dial(m *Member, due int64) {
	m.state, m.due = dialing, due
	s.load.dial.Dial(m)
}

// Dialing says that dialling begins now: until then the connection waited for
// its turn.
func (s *Shard) Dialing(m *Member) {
	s.mu.Lock()
	m.dialed = s.load.now()
	if s.plan.Open() && s.plan.Scenario == Connect && s.measured(m.due) {
		s.tally.Late.Record(m.dialed - m.due)
	}
	s.mu.Unlock()
}

// Opened takes a connection whose handshake is done. tcp is how many nanoseconds
// TCP took of it.
func (s *Shard) Opened(m *Member, link Link, tcp int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.load.now()
	m.link, m.state, m.opened, m.refused = link, opening, now, 0
	if d := s.plan.Dialect; d != nil {
		m.step, m.lastStep = d.Opening(&m.Vars)
	}
	if m.out != nil {
		m.began = m.out.sent.Load()
	}
	if !s.started || s.measured(now) {
		s.tally.Opened++ // the ramp's, and what the measured time saw
	}
	if !s.started || s.measured(m.due) {
		s.tally.TCP.Record(tcp)
		since := m.dialed
		if s.plan.Scenario == Connect && s.plan.Open() || m.stormAt != 0 {
			since = m.due
		}
		s.tally.Handshake.Record(now - since)
	}
	s.introduce(m, now)
}

// introduce sends the opening messages, until it must wait for an answer.
func (s *Shard) introduce(m *Member, now int64) {
	if m.state != opening {
		return
	}
	if s.over {
		s.close(m, now)
		return
	}
	if d := s.plan.Dialect; d != nil {
		for m.step < m.lastStep {
			if m.step == d.Login() && m.to == Apart {
				s.tally.Login.Record(now - m.opened)
				m.state, m.waited = waiting, true
				s.load.count(&s.load.apart, 1)
				return
			}
			if m.unanswered = s.say(m, d); m.unanswered > 0 {
				return
			}
			m.step++
		}
		if took := now - m.opened; m.waited {
			s.tally.Join.Record(took)
		} else if m.lastStep > 0 {
			s.tally.Login.Record(took)
		}
	}
	if s.plan.Scenario == Login {
		s.tally.Latency.Record(now - m.due)
	}
	m.state = ready
	s.load.count(&s.load.ready, 1)
	if m.group != nil && !m.slow {
		m.group.open.Add(1)
	}
	if m.stormAt != 0 && m.out == nil { // it has nothing to say
		s.tally.Back.Record(now - m.stormAt)
		m.stormAt = 0
	}
	switch {
	case m.slow:
		m.link.Pause(true)
	case s.plan.Scenario == Connect:
		s.close(m, now)
	case s.running && m.out != nil:
		s.after(m, now)
	}
}

// say sends the messages of the member's step of the opening, and returns how many
// answers must be heard before the next.
func (s *Shard) say(m *Member, d *dialect.Dialect) (unanswered int) {
	rooms := m.Vars.Rooms[:1]
	if d.ForRooms(m.step) {
		rooms = m.Vars.Rooms
	}
	for _, m.Vars.Room = range rooms {
		out, waits := d.Step(s.message[:0], m.step, &m.Vars)
		s.message = out
		if len(out) > 0 {
			m.link.Send(frame.Text, out)
		}
		if waits {
			unanswered++
		}
	}
	m.Vars.Room = rooms[0]
	return unanswered
}

// Refused takes a connection that could not be made.
func (s *Shard) Refused(m *Member, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.Refused++
	m.refused++
	s.end("not connected: %v", err)
	s.isDown(m)
}

// Closed takes the end of a connection. local says that we ended it; cause is
// what else there is to say, or nil.
func (s *Shard) Closed(m *Member, code wsproto.CloseCode, reason string, local bool, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.load.now()
	was := m.state
	m.link = nil
	switch was {
	case ready:
		s.unready(m)
	case waiting:
		s.load.count(&s.load.apart, -1)
	}
	if was == closing {
		s.tally.Closed++
		if s.measured(m.closed) {
			s.tally.Closing.Record(now - m.closed)
		}
		if cause == nil {
			s.isDown(m)
			return
		}
	}
	// It ended by itself, or not as it should.
	text := fmt.Sprintf("closed by the server with %v", code)
	switch {
	case was == closing:
		text = fmt.Sprintf("our Close was not answered: %v", cause)
	case local && cause != nil:
		text = fmt.Sprintf("closed with %v: %v", code, cause)
	case code == wsproto.CloseAbnormal:
		text = "broken off by the server without a Close frame"
		if cause != nil {
			text += fmt.Sprintf(": %v", cause)
		}
	case reason != "":
		text += fmt.Sprintf(", reason %q", reason)
	}
	if m.slow {
		text = "slow reader: " + text
	} else {
		s.tally.Broken++
	}
	s.end("%s", text)
	s.isDown(m)
}

// isDown decides what becomes of a member that has no connection any more.
func (s *Shard) isDown(m *Member) {
	m.state = down
	if !s.running || !s.plan.Cycles() {
		s.load.count(&s.load.gone, 1)
		return
	}
	now := s.load.now()
	switch {
	case m.refused > 0 && now < s.to && !(s.plan.Scenario == Connect && s.plan.Open()):
		m.again = now + int64(min(maxPause, minPause<<min(m.refused-1, 10)))
		s.resting = append(s.resting, m)
	case m.stormAt != 0:
		s.dial(m, m.stormAt)
	case s.plan.Scenario == Churn && s.plan.Open():
		s.dial(m, m.due)
	case len(s.backlog) > 0:
		due := s.backlog[0]
		s.backlog = s.backlog[1:]
		s.dial(m, due)
	case now >= s.to:
		s.load.count(&s.load.gone, 1)
	case s.plan.Scenario == Connect && s.plan.Open():
		s.idle = append(s.idle, m)
	default:
		m.cycling = s.plan.Scenario == Churn && !s.plan.Open()
		s.dial(m, now)
	}
}

// How long a member that was refused waits before it tries again: twice as long
// each time, as clients do that mean well.
const (
	minPause = 10 * time.Millisecond
	maxPause = time.Second
)

// tryAgain dials the members that have waited long enough since they were refused.
func (s *Shard) tryAgain(now int64) {
	rest := s.resting[:0]
	for _, m := range s.resting {
		switch {
		case now < m.again:
			rest = append(rest, m)
		case m.stormAt != 0:
			s.dial(m, m.stormAt)
		case s.plan.Open():
			s.dial(m, m.due)
		default:
			m.cycling = s.plan.Scenario == Churn
			s.dial(m, now)
		}
	}
	s.resting = rest
}

// endResting counts those that rest among the gone.
func (s *Shard) endResting() {
	s.load.count(&s.load.gone, int64(len(s.resting)))
	s.resting = nil
}

// cycleDue begins a connection that is due: by a member that is free, or one of
// those that are connected and owe nothing.
func (s *Shard) cycleDue(due, now int64) {
	if n := len(s.idle); n > 0 {
		m := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.dial(m, due)
		return
	}
	if s.plan.Scenario == Churn {
		for range s.members {
			m := s.members[s.nextUp]
			s.nextUp = (s.nextUp + 1) % len(s.members)
			if m.state == ready && s.settled(m) {
				s.cycle(m, due, now)
				return
			}
		}
	}
	s.backlog = append(s.backlog, due)
}

// cycle closes a connection of Churn that must be made again.
func (s *Shard) cycle(m *Member, due, now int64) {
	if s.measured(due) {
		s.tally.Late.Record(now - due)
	}
	m.due = due
	s.close(m, now)
}

// settled reports whether a member of Churn has had all its answers.
func (s *Shard) settled(m *Member) bool {
	return s.inflight(m) == 0 && int(m.out.sent.Load()-m.began) >= s.plan.Messages
}

// breakAll is a storm: every connection is closed, and dialled again.
func (s *Shard) breakAll(at, now int64) {
	for _, m := range s.members {
		if m.state == ready {
			m.stormAt = at
			s.close(m, now)
		}
	}
}
