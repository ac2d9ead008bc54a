package server

import (
	"sync/atomic"

	"github.com/hawser-ws/hawser/wsproto"
)

// Connections live in slabs and are named by slot: a number that events carry,
// that timers and groups link by, and that a handle holds. Slot 0 is no
// connection.
const (
	slabBits = 10
	slabSize = 1 << slabBits
	maxSlabs = 1 << 12
)

// conn is one connection, as its loop knows it.
type conn struct {
	// word is generation<<1, plus 1 once no message may be sent any more. Any
	// goroutine may read it; see Conn.
	word atomic.Uint32

	// buffered is what waited to be written after the last write. Any goroutine
	// may read it.
	buffered atomic.Uint32

	// Loop only.
	fd      int32 // -1 while the slot is free
	proto   wsproto.Conn
	value   any
	out     *outbox     // nil while nothing waits to be written
	groups  []place     // where it stands in the groups it joined
	address *address    // what its admission was counted on, or nil
	why     *CloseError // the first cause of its end, or nil
	tls     *secure     // nil without TLS

	heard      uint32 // when the last byte came, in ticks
	began      uint32 // when the unfinished message began or, closing, the close
	unit       uint32 // the unfinished message's number, from wsproto
	timer      timer
	assembling uint32 // bytes received of the unfinished message
	window     uint32 // the second that controls counts in
	control    uint16 // control frames received in it
	pinged     uint8  // pings sent since the last byte came
	mask       uint8  // what the kernel was asked for: wantRead, wantWrite
	flags      flags
}

type flags uint16

const (
	flagOpening    flags = 1 << iota // OnOpen has not been called yet
	flagDirty                        // stands in the loop's dirty list
	flagAssembling                   // began and unit mean an unfinished message
	flagClosing                      // began means the close
	flagEnding                       // the write side is shut when the queue is empty
	flagShut                         // the write side is shut
	flagNotified                     // TLS: close_notify is queued
	flagAgain                        // stands in the loop's list of unfinished turns
	flagEOF                          // the peer's stream ended
	flagBlocked                      // the kernel's buffer is full
	flagFull                         // the queue is over its soft bound
	flagPaused                       // the application reads no more
	flagUnread                       // the loop keeps input that the protocol was not given
	flagGone                         // torn down, to be freed after the iteration
)

func (c *conn) has(f flags) bool { return c.flags&f != 0 }

// at returns the connection in a slot that was given out.
func (l *loop) at(slot uint32) *conn {
	return &l.slabs[slot>>slabBits].Load()[slot&(slabSize-1)]
}

// take reserves a slot for a new connection, from any goroutine, and returns
// it with its generation. ok is false when there are no more slots.
func (l *loop) take() (slot, gen uint32, ok bool) {
	l.free.mu.Lock()
	defer l.free.mu.Unlock()
	if n := len(l.free.slots); n > 0 {
		slot = l.free.slots[n-1]
		l.free.slots = l.free.slots[:n-1]
	} else {
		slot = l.free.next
		if slot>>slabBits >= maxSlabs {
			return 0, 0, false
		}
		if l.slabs[slot>>slabBits].Load() == nil {
			l.slabs[slot>>slabBits].Store(newSlab())
		}
		l.free.next++
	}
	return slot, l.at(slot).word.Load() >> 1, true
}

// giveBack returns slots that hold no connection, or none any more.
func (l *loop) giveBack(slots ...uint32) {
	l.free.mu.Lock()
	defer l.free.mu.Unlock()
	l.free.slots = append(l.free.slots, slots...)
}

func newSlab() *[slabSize]conn {
	s := new([slabSize]conn)
	for i := range s {
		s[i].fd = -1
	}
	return s
}

// reap frees the slots of the connections that ended in this iteration.
func (l *loop) reap() {
	if len(l.gone) == 0 {
		return
	}
	for _, slot := range l.gone {
		c := l.at(slot)
		gen := (c.word.Load() >> 1) + 1
		c.clear()
		c.word.Store(gen << 1)
	}
	l.conns.Add(-int64(len(l.gone)))
	l.giveBack(l.gone...)
	l.gone = l.gone[:0]
}

// clear makes c an unused slot. Its word stays: others may read it meanwhile.
func (c *conn) clear() {
	c.fd = -1
	c.proto = wsproto.Conn{}
	c.value, c.out, c.groups, c.address, c.why, c.tls = nil, nil, nil, nil, nil, nil
	c.buffered.Store(0)
	c.heard, c.began, c.unit, c.assembling, c.window = 0, 0, 0, 0, 0
	c.timer = timer{}
	c.control, c.pinged, c.mask, c.flags = 0, 0, 0, 0
}
