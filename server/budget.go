package server

import (
	"container/heap"
	"sync/atomic"
)

// budget limits what all connections together hold: the bytes that wait to be written,
// and those received of incomplete messages. Every loop adds what it holds at the end
// of an iteration, after shedding its share of the excess. So no other loop sees that
// excess and sheds for it a second time.
type budget struct {
	limit int64 // 0: none
	used  atomic.Int64
}

func (b *budget) exceeded() bool { return b.limit > 0 && b.used.Load() > b.limit }

// add counts n more bytes, which wait in a mailbox. Any goroutine.
func (b *budget) add(n int) {
	if b.limit > 0 {
		b.used.Add(int64(n))
	}
}

// unpublishedBytes is how much more the loop holds than it has added to the budget.
func (l *loop) unpublishedBytes() int64 {
	before := l.published[queued] + l.published[assembling]
	return int64(l.traffic[queued] + l.traffic[assembling] - before)
}

// shedSlowest evicts the connections that hold the most, until this loop has given
// back its share of the excess. It runs between two flushes: the first one gives the
// kernel what it will take, the second one sends the Close frames.
func (l *loop) shedSlowest() {
	if l.budget.limit == 0 {
		return
	}
	used := l.budget.used.Load() + l.unpublishedBytes()
	over := used - l.budget.limit
	mine := int64(l.traffic[queued] + l.traffic[assembling])
	if over <= 0 || mine == 0 {
		return
	}
	fattest := l.fattest()
	share := int64(float64(over) * float64(mine) / float64(used))
	for share >= 0 && len(fattest) > 0 {
		h := heap.Pop(&fattest).(holder)
		share -= int64(h.bytes)
		l.shed(h.c)
	}
	l.flush()
}

// holder is a connection that uses some of the budget.
type holder struct {
	c     *conn
	bytes int
}

// holders is a heap with the one that holds most on top.
type holders []holder

func (h holders) Len() int           { return len(h) }
func (h holders) Less(i, j int) bool { return h[i].bytes > h[j].bytes }
func (h holders) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *holders) Push(x any)        { *h = append(*h, x.(holder)) }
func (h *holders) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// fattest returns the connections that may be shed.
func (l *loop) fattest() (h holders) {
	for c := range l.holding {
		if bytes := c.heldBytes(); bytes > maxUnshed || bytes > 0 && c.phase < closing {
			h = append(h, holder{c, bytes})
		}
	}
	heap.Init(&h)
	return h
}

// noteHeld keeps the set of connections that use some of the budget, which are few among
// those that a loop has.
func (l *loop) noteHeld(c *conn) {
	switch held := c.heldBytes() > 0 && c.phase != gone; {
	case held && !c.has(flagHolds):
		c.flags |= flagHolds
		if l.holding == nil {
			l.holding = map[*conn]struct{}{}
		}
		l.holding[c] = struct{}{}
	case !held && c.has(flagHolds):
		c.flags &^= flagHolds
		delete(l.holding, c)
	}
}

// heldBytes is what a connection uses of the budget.
func (c *conn) heldBytes() int { return int(c.assembling) + c.waiting() + c.behind() }

// maxUnshed is how many bytes a connection that is shed may still hold: the rest of a
// partly written frame has to go out before the Close frame.
const maxUnshed = 16 << 10

// shed evicts a connection, or cuts it if eviction would give back too little. A
// connection that is already closing has had its Close frame, and is cut.
func (l *loop) shed(c *conn) {
	if c.phase < closing {
		l.evict(c, ErrOverBudget)
	}
	if c.heldBytes() > maxUnshed {
		l.teardown(c)
	}
}

// setAssembling records how much of an incomplete message a connection has received.
func (l *loop) setAssembling(c *conn, bytes int) {
	n := uint32(min(uint64(bytes), 1<<32-1))
	l.traffic[assembling] += uint64(n) - uint64(c.assembling)
	c.assembling = n
	if n > 0 || c.has(flagHolds) {
		l.noteHeld(c)
	}
}
