package load

import (
	"fmt"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/sequence"
)

// Outstanding returns how many messages are unanswered and connections are being made.
// sent says how many messages the streams of other workers have.
func (l *Load) Outstanding(sent map[uint32]uint32) (n uint64) {
	for _, s := range l.Shards {
		s.mu.Lock()
		for _, m := range s.members {
			if m.state == dialing || m.state == opening || m.state == closing {
				n++
			}
			if m.state == ready || m.state == closing {
				n += s.missing(m, sent, nil)
			}
		}
		s.mu.Unlock()
	}
	return n
}

// lacks returns how many of a stream's total messages have not arrived. In a run that was
// cut short, those after the last arrival may still be on their way: they are counted as
// pending instead.
func (s *Shard) lacks(t *sequence.Tracker, total uint32) uint64 {
	if s.cut {
		if next := t.Next(); total > next {
			s.pending += uint64(total - next)
			total = next
		}
	}
	return t.Missing(total)
}

// missing returns how many messages a member has not received. found, if set, is called
// for each stream that lacks some.
func (s *Shard) missing(m *Member, sent map[uint32]uint32, found func(stream, first uint32, n uint64)) (n uint64) {
	if m.slow {
		return 0
	}
	if n := uint64(len(m.awaited)); n > 0 {
		if s.cut {
			s.pending += n
			return 0
		}
		if found != nil {
			found(m.ID, 0, n)
		}
		return n
	}
	if m.group == nil {
		if m.out == nil {
			return 0
		}
		total := m.out.sent.Load()
		n = s.lacks(&m.own, total)
		n -= min(n, uint64(m.strange))
		if n > 0 && found != nil {
			first, _ := m.own.FirstMissing(total)
			found(m.ID, first, n)
		}
		return n
	}
	spare := uint64(m.strange) // a corrupted message does not count as lost as well
	for i, st := range m.group.streams {
		id := m.group.first + uint32(i)
		if id == m.ID && !m.group.self {
			continue
		}
		total, known := sent[id]
		if st != nil {
			total, known = st.sent.Load(), true
		}
		if !known {
			continue
		}
		lacks := s.lacks(&m.from[i], total)
		take := min(lacks, spare)
		spare -= take
		if lacks -= take; lacks > 0 && found != nil {
			first, _ := m.from[i].FirstMissing(total)
			found(id, first, lacks)
		}
		n += lacks
	}
	return n
}

// Finish counts the messages that never arrived, and returns all faults and how
// connections ended. It must be called only once.
func (l *Load) Finish(sent map[uint32]uint32) (faults Faults, ends map[string]int) {
	faults, ends, _ = l.finish(sent, false)
	return faults, ends
}

// FinishCut is like Finish, for a run that is cut short. It also returns how many messages
// were still unanswered.
func (l *Load) FinishCut(sent map[uint32]uint32) (faults Faults, ends map[string]int, pending uint64) {
	return l.finish(sent, true)
}

func (l *Load) finish(sent map[uint32]uint32, cut bool) (faults Faults, ends map[string]int, pending uint64) {
	ends = map[string]int{}
	for _, s := range l.Shards {
		s.mu.Lock()
		s.cut = cut
		for _, m := range s.members {
			s.explain(m, sent)
			s.pending = 0
			s.missing(m, sent, func(stream, first uint32, n uint64) {
				if s.plan.Scenario == Replay {
					s.faults.note(Lost, n, "connection %d: no answer to %d of its messages", m.ID, n)
				} else if stream == m.ID {
					s.faults.note(Lost, n, "connection %d: %d of its own, number %d first", m.ID, n, first)
				} else {
					s.faults.note(Lost, n, "connection %d: %d of connection %d, number %d first", m.ID, n, stream, first)
				}
			})
			pending += s.pending
		}
		faults.Add(s.faults)
		for text, n := range s.ends {
			ends[text] += n
		}
		s.mu.Unlock()
	}
	return faults, ends, pending
}

// explain decides whether the strange messages of a member were corrupted or unsolicited.
func (s *Shard) explain(m *Member, sent map[uint32]uint32) {
	if m.strange == 0 {
		return
	}
	var what []string // what to name it by, or nothing
	if text, ok := s.strange[m]; ok {
		what = append(what, fmt.Sprintf("connection %d: %s", m.ID, text))
		if m.strange > 1 {
			what[0] += fmt.Sprintf(", the first of %d", m.strange)
		}
	}
	// If a message is missing, a strange one was that message, corrupted.
	found := uint64(m.strange)
	m.strange = 0
	corrupted := min(found, s.missing(m, sent, nil))
	m.strange = uint32(found)
	if corrupted > 0 {
		s.faults.name(Corrupted, corrupted, what...)
	}
	if found > corrupted {
		s.faults.name(Unsolicited, found-corrupted, what...)
	}
}

// Stuck says what the first connection that is not ready waits for.
func (l *Load) Stuck() string {
	for _, s := range l.Shards {
		s.mu.Lock()
		for _, m := range s.members {
			if m.state != opening {
				continue
			}
			d := l.Plan.Dialect
			text := fmt.Sprintf("step %d of the opening expects %q, and nothing came", m.step+1, d.Expect(m.step))
			if len(s.instead) > 0 {
				text = fmt.Sprintf("step %d of the opening expects %q; last came %s", m.step+1, d.Expect(m.step), clip(s.instead))
			}
			s.mu.Unlock()
			return text
		}
		s.mu.Unlock()
	}
	return ""
}

// CommonestEnd returns how most of the connections ended, or why they could not be made.
func (l *Load) CommonestEnd() string {
	ends := map[string]int{}
	for _, s := range l.Shards {
		s.mu.Lock()
		for text, n := range s.ends {
			ends[text] += n
		}
		s.mu.Unlock()
	}
	most := "for reasons unknown"
	for text, n := range ends {
		if n > ends[most] {
			most = text
		}
	}
	return most
}

// Close closes every open connection, and those that are still being made as soon as they
// are open.
func (l *Load) Close() {
	for _, s := range l.Shards {
		s.mu.Lock()
		now := s.load.now()
		s.running, s.over = false, true
		s.endResting()
		for _, m := range s.members {
			if m.state == ready || m.state == opening || m.state == waiting {
				s.close(m, now)
			}
		}
		s.mu.Unlock()
	}
}
