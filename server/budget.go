package server

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// budget bounds what all connections together hold: the bytes that wait to be
// written, and those received of messages that are not complete. Every loop adds
// what it holds when an iteration ends, and what it sheds then is not in it: no
// other loop sees that this one was over, and sheds something for it.
type budget struct {
	limit int64 // 0: none
	used  atomic.Int64
}

func (b *budget) exceeded() bool { return b.limit > 0 && b.used.Load() > b.limit }

// grown is how much more the loop holds than it has added to the budget.
func (l *loop) grown() int64 {
	before := l.published[queued] + l.published[assembling]
	return int64(l.traffic[queued] + l.traffic[assembling] - before)
}

// shedSlowest evicts the connections that hold most, until this loop has given
// back its share of what is too much. It is done between two flushes: what the
// kernel has taken is not held, and the Close frames go out.
func (l *loop) shedSlowest() {
	if l.budget.limit == 0 {
		return
	}
	used := l.budget.used.Load() + l.grown()
	over := used - l.budget.limit
	mine := int64(l.traffic[queued] + l.traffic[assembling])
	if over <= 0 || mine == 0 {
		return
	}
	type holder struct {
		slot  uint32
		bytes int
	}
	var holders []holder
	for slot := range l.used() {
		c := l.at(slot)
		if bytes := c.held(); bytes > tornEnough || bytes > 0 && !c.has(flagClosing) {
			holders = append(holders, holder{slot, bytes})
		}
	}
	slices.SortFunc(holders, func(a, b holder) int { return cmp.Compare(b.bytes, a.bytes) })
	share := int64(float64(over) * float64(mine) / float64(used))
	for _, h := range holders {
		if share < 0 {
			break
		}
		share -= int64(h.bytes)
		l.shed(h.slot, l.at(h.slot))
	}
	l.flush()
}

// held is what a connection holds of the budget.
func (c *conn) held() int { return int(c.assembling) + c.waiting() }

// tornEnough is what may be left of a connection that is shed: the rest of a
// message that is written in part has to go out before the Close frame.
const tornEnough = 16 << 10

// shed evicts a connection, or cuts it where that would give back too little. One
// that is closing has had its Close frame, and is cut.
func (l *loop) shed(slot uint32, c *conn) {
	if !c.has(flagClosing) {
		l.evict(slot, c, ErrOverBudget)
	}
	if c.held() > tornEnough {
		l.teardown(slot, c)
	}
}

// hold notes how much of an unfinished message a connection has received.
func (l *loop) hold(c *conn, bytes int) {
	n := uint32(min(uint64(bytes), 1<<32-1))
	l.traffic[assembling] += uint64(n) - uint64(c.assembling)
	c.assembling = n
}
