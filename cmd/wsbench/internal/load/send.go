package load

import (
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/stamp"
	"github.com/hawser-ws/hawser/frame"
)

// sendDue sends, or dials, everything that is due.
func (s *Shard) sendDue(now int64) {
	for n := 0; ; n++ {
		due := s.schedule.Due()
		if due > now || due >= s.to {
			return
		}
		if n == maxBurst {
			if s.Poke != nil {
				s.Poke()
			}
			return
		}
		if s.plan.Cycles() {
			s.cycleDue(due, now)
		} else if !s.sendOne(due, now) {
			return // the loop's mailbox is full: later
		}
		s.schedule.Pass()
	}
}

// sendOne sends the message that is due. It returns false if the message could not be
// queued and is still due.
func (s *Shard) sendOne(due, now int64) bool {
	if c, ok := s.schedule.(*script); ok {
		return s.replayDue(c, now)
	}
	return s.messageDue(due, now)
}

// messageDue makes the next connected sender send. It returns false if the message could
// not be queued and is still due.
func (s *Shard) messageDue(due, now int64) bool {
	for range s.senders {
		m := s.senders[s.nextUp]
		s.nextUp++
		if s.nextUp == len(s.senders) {
			s.nextUp = 0
		}
		if m.state == ready {
			return s.send(m, due, now)
		}
	}
	s.postpone(due)
	return true
}

// refill sends as many messages as the closed loop allows.
func (s *Shard) refill(m *Member, now int64) {
	if !s.running || now < s.begin || now >= s.to || m.state != ready || s.plan.Open() && !s.plan.Cycles() {
		return
	}
	want := int32(s.plan.Inflight)
	if s.plan.Cycles() {
		// Churn: at most this many in all. A storm's survivor sends one message.
		want = max(want, 1)
		if s.plan.Scenario == Churn {
			want = min(want, int32(s.plan.Messages)-int32(m.out.sent.Load()-m.began)+s.inflight(m))
		} else {
			want = min(want, 1-int32(m.out.sent.Load()-m.began)+s.inflight(m))
		}
	}
	for n := s.inflight(m) + m.thinking; n < want; n++ {
		if s.plan.Think > 0 {
			s.think(m, now+s.thinkTime())
			continue
		}
		if n == 0 {
			m.progress = now
		}
		if !s.send(m, now, now) {
			return
		}
	}
}

// inflight returns how many of the member's messages have not been answered.
func (s *Shard) inflight(m *Member) int32 {
	if m.group != nil {
		return m.out.inflight()
	}
	answered := max(m.own.Next()+m.strangeSinceLast, m.abandonedBelow)
	return max(int32(m.out.sent.Load()-answered), 0)
}

// send sends the member's next message.
func (s *Shard) send(m *Member, due, now int64) bool {
	seq := m.out.sent.Load()
	s.payload = s.load.maker.Append(s.payload[:0], stamp.Stamp{Stream: m.ID, Seq: seq, Due: due})
	out, op := s.payload, frame.Text
	if s.plan.Binary {
		op = frame.Binary
	}
	if d := s.plan.Dialect; d != nil {
		s.message = d.Publish(s.message[:0], &m.Vars, s.payload)
		out = s.message
	}
	if g := m.group; g != nil {
		receivers := g.open.Load()
		if !g.self {
			receivers--
		}
		m.out.publish(seq, receivers)
	}
	// Another loop may have the answer before Send returns.
	m.out.sent.Store(seq + 1)
	if m.link.Send(op, out) != nil {
		m.out.sent.Store(seq)
		if m.group != nil {
			m.out.at(seq).Store(0)
		}
		return false
	}
	if s.measured(due) {
		s.tally.Sent++
		if s.plan.Open() && !s.plan.Cycles() { // otherwise connections are due, not messages
			s.tally.Late.Record(now - due)
		}
	}
	return true
}

// giveUp makes the closed loop go on without the answers that do not arrive.
func (s *Shard) giveUp(now int64) {
	if !s.running || s.plan.Open() && !s.plan.Cycles() {
		return
	}
	for _, m := range s.senders {
		if m.state != ready || s.inflight(m) == 0 || now-m.progress < int64(s.plan.Timeout) {
			continue
		}
		m.abandonedBelow = m.out.sent.Load()
		if m.group != nil {
			m.out.giveUp()
		}
		m.progress = now
		s.after(m, now)
	}
}
