package load

import (
	"fmt"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/sequence"
	"github.com/hawser-ws/hawser/frame"
)

// heard handles one part of a foreign protocol's output.
func (s *Shard) heard(m *Member, op frame.Opcode, p []byte, now int64) {
	d := s.plan.Dialect
	step := dialect.Over
	if m.state == opening {
		step = m.step
		d.Remember(p, &m.Vars)
	}
	part := d.Read(p, step)
	if m.state == opening && part.Kind != dialect.Expected {
		s.instead = append(s.instead[:0], part.Text[:min(len(part.Text), 2*maxClip)]...)
	}
	switch part.Kind {
	case dialect.Expected:
		if m.unanswered--; m.unanswered <= 0 {
			m.step++
			s.introduce(m, now)
		}
	case dialect.Ping:
		s.message = d.Pong(s.message[:0], &m.Vars)
		m.link.Send(frame.Text, s.message)
	case dialect.Delivery:
		if part.Payload == nil {
			s.damaged(m, op, part.Text, now)
		} else {
			s.delivered(m, op, part.Payload, now)
		}
	case dialect.Refused:
		if m.state == opening {
			m.Vars.Session = "" // next time it logs in again
		}
		s.end("the server says %s", clip(part.Text))
		s.tally.Refused++
	case dialect.Unknown:
		s.faults.note(Unsolicited, 1, "connection %d: %s", m.ID, clip(part.Text))
	}
}

const maxClip = 120 // bytes

// clip shortens a message for a report.
func clip(p []byte) string {
	if len(p) > maxClip {
		return fmt.Sprintf("%.*q… (%d bytes)", maxClip, p[:maxClip], len(p))
	}
	return fmt.Sprintf("%q", p)
}

// delivered takes one payload.
func (s *Shard) delivered(m *Member, op frame.Opcode, p []byte, now int64) {
	st, ok := s.load.maker.Parse(p)
	if !ok {
		s.damaged(m, op, p, now)
		return
	}
	tracker, from := s.streamOf(m, st.Stream)
	own := m.group != nil && !m.group.self && m.out != nil && from == m.out
	if tracker == nil || own || from != nil && st.Seq >= from.sent.Load() {
		s.faults.note(Unsolicited, 1, "connection %d: number %d of connection %d, which was not sent to it", m.ID, st.Seq, st.Stream)
		return
	}
	before := tracker.Next()
	switch tracker.Arrive(st.Seq) {
	case sequence.Doubled:
		s.faults.note(Doubled, 1, "connection %d: number %d of connection %d", m.ID, st.Seq, st.Stream)
		return
	case sequence.Late:
		s.faults.note(Reordered, 1, "connection %d: number %d of connection %d, after %d", m.ID, st.Seq, st.Stream, before-1)
	case sequence.InOrder:
		if m.group == nil {
			m.strangeSinceLast = 0
		} else if from != nil && !m.slow {
			for seq := max(before, st.Seq-min(st.Seq, ringSize)); seq < st.Seq; seq++ {
				s.receipt(m, from, seq, st.Due, true, now)
			}
		}
		if m.group != nil && from != nil && !m.slow {
			s.receipt(m, from, st.Seq, st.Due, false, now)
		}
	}
	m.progress = now
	if s.measured(now) {
		s.tally.Received++
		s.tally.BytesIn += uint64(len(p))
	}
	known := true
	if from == nil && m.group != nil { // another worker's
		st.Due += s.load.foreign
		known = s.load.oneWay
	}
	if known && s.measured(st.Due) && !m.slow {
		s.tally.Latency.Record(now - st.Due)
	}
	if m.stormAt != 0 && st.Seq >= m.began {
		s.tally.Back.Record(now - m.stormAt)
		m.stormAt = 0
	}
}

// streamOf returns the tracker of a stream's numbers on a connection, and the stream
// itself if it is this worker's.
func (s *Shard) streamOf(m *Member, id uint32) (*sequence.Tracker, *stream) {
	if m.group == nil {
		if id != m.ID || m.out == nil {
			return nil, nil
		}
		return &m.own, m.out
	}
	at := id - m.group.first
	if at >= uint32(len(m.from)) {
		return nil, nil
	}
	return &m.from[at], m.group.streams[at]
}

// receipt takes one receiver's copy of a publication, or its loss.
func (s *Shard) receipt(m *Member, from *stream, seq uint32, due int64, lost bool, now int64) {
	if from.sender == m && !m.group.self {
		return
	}
	last, whole := from.receipt(seq, lost)
	if !last {
		return
	}
	if whole && s.measured(due) {
		s.tally.Last.Record(now - due)
	}
	if s.plan.Open() {
		return
	}
	if home := from.sender.Shard; home != s {
		if home.Poke != nil {
			home.Poke()
		}
		return
	}
	from.sender.progress = now
	s.refill(from.sender, now)
}

// damaged records a message that is not a payload of ours, or no longer: it is corrupted
// or unsolicited. Which of the two is known in the end, by whether an expected message is
// missing.
func (s *Shard) damaged(m *Member, op frame.Opcode, p []byte, now int64) {
	m.strange++
	if m.group == nil {
		m.strangeSinceLast++
		m.progress = now
	}
	if _, have := s.strange[m]; !have && len(s.strange) < maxStrange {
		if s.strange == nil {
			s.strange = map[*Member]string{}
		}
		s.strange[m] = fmt.Sprintf("%s message %s", kind(op), clip(p))
	}
}

// maxStrange bounds how many connections of a shard are remembered by the first
// message on each that could not be told apart.
const maxStrange = 64

func kind(op frame.Opcode) string {
	if op == frame.Binary {
		return "binary"
	}
	return "text"
}
