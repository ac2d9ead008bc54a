package load

import (
	"container/heap"
	"math/rand/v2"
)

// thought is a message that is sent when its sender has thought long enough.
type thought struct {
	until int64
	m     *Member
}

// thinkers is a heap: the first is the one that has thought first.
type thinkers struct {
	list   []thought
	random *rand.Rand // of irregular think times
}

func (t *thinkers) Len() int           { return len(t.list) }
func (t *thinkers) Less(i, j int) bool { return t.list[i].until < t.list[j].until }
func (t *thinkers) Swap(i, j int)      { t.list[i], t.list[j] = t.list[j], t.list[i] }
func (t *thinkers) Push(x any)         { t.list = append(t.list, x.(thought)) }

func (t *thinkers) Pop() any {
	last := t.list[len(t.list)-1]
	t.list = t.list[:len(t.list)-1]
	return last
}

// think has a member send a message at a time.
func (s *Shard) think(m *Member, until int64) {
	m.thinking++
	heap.Push(&s.thinkers, thought{until, m})
}

// thinkTime is how long a sender thinks before its next message, in nanoseconds.
func (s *Shard) thinkTime() int64 {
	if !s.plan.Poisson {
		return int64(s.plan.Think)
	}
	t := &s.thinkers
	if t.random == nil {
		t.random = rand.New(rand.NewPCG(s.plan.Seed, uint64(s.index)))
	}
	return int64(t.random.ExpFloat64() * float64(s.plan.Think))
}

// wakeThinkers sends for those that have thought long enough. Their loop is called for it
// only every few milliseconds; latency counts from sending.
func (s *Shard) wakeThinkers(now int64) {
	for t := &s.thinkers; len(t.list) > 0 && t.list[0].until <= now; {
		m := heap.Pop(t).(thought).m
		m.thinking--
		if !s.running || now >= s.to || m.state != ready {
			continue // when it is ready again it starts over
		}
		if s.inflight(m) == 0 {
			m.progress = now
		}
		if !s.send(m, now, now) {
			s.think(m, now+s.thinkTime())
		}
	}
}
