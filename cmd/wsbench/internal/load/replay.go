package load

import (
	"container/heap"
	"math"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/recording"
	"github.com/hawser-ws/hawser/frame"
)

// script is when the members of a shard send what a recording says. It is a heap: the
// first cue is due first.
type script struct {
	cues  []cue
	speed float64
}

// cue is the next message of a member.
type cue struct {
	due   int64
	begin int64 // of its session
	m     *Member
	next  int // in its session
}

// newScript returns what begins at a time.
func (s *Shard) newScript(begin int64) *script {
	p := s.plan
	c := &script{speed: p.Speed}
	sessions := p.Recording.Sessions
	for _, m := range s.members {
		m.session = sessions[int(m.ID)%len(sessions)]
		at := begin + int64(float64(p.Spread)*float64(m.ID)/float64(p.Conns))
		if q, more := c.after(cue{begin: at, m: m, next: -1}); more {
			c.cues = append(c.cues, q)
		}
	}
	heap.Init(c)
	return c
}

// after returns the cue after q.
func (c *script) after(q cue) (_ cue, more bool) {
	session := q.m.session
	for q.next++; q.next < len(session); q.next++ {
		if session[q.next].Sent {
			q.due = q.begin + int64(float64(session[q.next].At)/c.speed)
			return q, true
		}
	}
	return q, false
}

// Due is Times'.
func (c *script) Due() int64 {
	if len(c.cues) == 0 {
		return math.MaxInt64
	}
	return c.cues[0].due
}

// Pass is Times'.
func (c *script) Pass() {
	q, more := c.after(c.cues[0])
	if !more {
		heap.Pop(c)
		return
	}
	c.cues[0] = q
	heap.Fix(c, 0)
}

func (c *script) Len() int { return len(c.cues) }
func (c *script) Less(i, j int) bool {
	a, b := &c.cues[i], &c.cues[j]
	return a.due < b.due || a.due == b.due && a.m.ID < b.m.ID
}
func (c *script) Swap(i, j int) { c.cues[i], c.cues[j] = c.cues[j], c.cues[i] }
func (c *script) Push(x any)    { c.cues = append(c.cues, x.(cue)) }

func (c *script) Pop() any {
	last := c.cues[len(c.cues)-1]
	c.cues = c.cues[:len(c.cues)-1]
	return last
}

// replayDue sends the script's first message. It returns false if the message could not be
// queued and is still due.
func (s *Shard) replayDue(c *script, now int64) bool {
	q := &c.cues[0]
	m := q.m
	if m.state != ready {
		s.postpone(q.due)
		return true
	}
	message := &m.session[q.next]
	op := frame.Text
	if message.Binary {
		op = frame.Binary
	}
	// Another loop may have the answer before Send returns.
	answered := answered(m.session[q.next+1:])
	if answered {
		m.awaited = append(m.awaited, q.due)
	}
	if m.link.Send(op, message.Data) != nil {
		if answered {
			m.awaited = m.awaited[:len(m.awaited)-1]
		}
		return false
	}
	if s.measured(q.due) {
		s.tally.Sent++
		s.tally.Late.Record(now - q.due)
	}
	return true
}

// answered reports whether what follows in a session begins with something received.
func answered(rest recording.Session) bool { return len(rest) > 0 && !rest[0].Sent }

// replied takes a message that arrived in Replay. What it means is not known: it is the
// answer to the first message that awaits one.
func (s *Shard) replied(m *Member, p []byte, now int64) {
	if s.measured(now) {
		s.tally.Received++
		s.tally.BytesIn += uint64(len(p))
	}
	if len(m.awaited) == 0 {
		return
	}
	if due := m.awaited[0]; s.measured(due) {
		s.tally.Latency.Record(now - due)
	}
	m.awaited = m.awaited[1:]
}
