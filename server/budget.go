package server

import (
	"cmp"
	"slices"
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
	type holder struct {
		c     *conn
		bytes int
	}
	var holders []holder
	for c := range l.present() {
		if bytes := c.heldBytes(); bytes > maxUnshed || bytes > 0 && c.phase < closing {
			holders = append(holders, holder{c, bytes})
		}
	}
	slices.SortFunc(holders, func(a, b holder) int { return cmp.Compare(b.bytes, a.bytes) })
	share := int64(float64(over) * float64(mine) / float64(used))
	for _, h := range holders {
		if share < 0 {
			break
		}
		share -= int64(h.bytes)
		l.shed(h.c)
	}
	l.flush()
}

// heldBytes is what a connection uses of the budget.
func (c *conn) heldBytes() int { return int(c.assembling) + c.waiting() }

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
}
