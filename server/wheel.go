package server

import "math/bits"

// Times on a loop are in ticks: milliseconds since the server started, in 32 bits that
// wrap around. Two of them are compared by their difference, which is right as long as
// they are less than 24 days apart.

func before(a, b uint32) bool { return int32(a-b) < 0 }

const (
	wheelSlots = 512
	wheelGrain = 6 // a slot is 64 ticks wide
)

// timer is a connection's place in the wheel. Each connection has one timer, armed for
// the earliest deadline that may pass. Which deadlines have really passed is checked
// when it fires, so that arriving bytes need not move it.
type timer struct {
	next, prev uint32 // slots of connections; 0: none
	at         uint32 // ticks
	list       uint16 // which of the wheel's lists, plus 1; 0: not armed
}

// wheel holds the armed timers of a loop's connections, in lists by the time at which
// to look at them. A timer beyond the wheel's reach is looked at earlier, and armed
// again.
type wheel struct {
	heads [wheelSlots]uint32
	used  [wheelSlots / 64]uint64 // bit per head
	done  uint32                  // ticks up to which the wheel has turned, a multiple of its grain
	count int
}

// arm makes sure that the connection's timer fires at the given time, or up to two of
// the wheel's slots later.
func (l *loop) arm(c *conn, at uint32) {
	if c.timer.list != 0 {
		if !before(at, c.timer.at) {
			return
		}
		l.disarm(c)
	}
	w := &l.wheel
	ahead := uint32(1) // the next list to be looked at
	if before(w.done, at) {
		ahead = min(max((at-w.done)>>wheelGrain, 1), wheelSlots-1)
	}
	i := (w.done>>wheelGrain + ahead) % wheelSlots
	c.timer = timer{next: w.heads[i], at: at, list: uint16(i) + 1}
	if c.timer.next != 0 {
		l.at(c.timer.next).timer.prev = c.slot
	}
	w.heads[i] = c.slot
	w.used[i/64] |= 1 << (i % 64)
	w.count++
}

// disarm takes the connection out of the wheel.
func (l *loop) disarm(c *conn) {
	t := c.timer
	if t.list == 0 {
		return
	}
	c.timer = timer{}
	w := &l.wheel
	w.count--
	if t.next != 0 {
		l.at(t.next).timer.prev = t.prev
	}
	if t.prev != 0 {
		l.at(t.prev).timer.next = t.next
		return
	}
	i := t.list - 1
	w.heads[i] = t.next
	if t.next == 0 {
		w.used[i/64] &^= 1 << (i % 64)
	}
}

// turnWheel fires the timers whose time has come by now.
func (l *loop) turnWheel(now uint32) {
	w := &l.wheel
	until := now &^ (1<<wheelGrain - 1)
	for before(w.done, until) {
		if w.count == 0 {
			w.done = until
			return
		}
		w.done += 1 << wheelGrain
		i := w.done >> wheelGrain % wheelSlots
		// One at a time: an OnClose may end other connections, and move their timers.
		for slot := w.heads[i]; slot != 0; slot = w.heads[i] {
			c := l.at(slot)
			at := c.timer.at
			l.disarm(c)
			if before(now, at) {
				l.arm(c, at)
			} else {
				l.fireTimer(c)
			}
		}
	}
}

// idle returns in how many milliseconds the wheel has to be turned next, or -1 if no
// timer is armed.
func (w *wheel) idle(now uint32) int {
	if w.count == 0 {
		return -1
	}
	first := w.done>>wheelGrain + 1
	for ahead := uint32(0); ahead < wheelSlots; {
		i := (first + ahead) % wheelSlots
		if rest := w.used[i/64] >> (i % 64); rest != 0 {
			at := (first + ahead + uint32(bits.TrailingZeros64(rest))) << wheelGrain
			return max(int(int32(at-now)), 0)
		}
		ahead += 64 - i%64
	}
	panic("server: internal error: armed timers in no list")
}
