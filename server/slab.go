package server

import (
	"sync/atomic"

	"github.com/hawser-ws/hawser/wsproto"
)

// Connections live in slabs and are identified by slot numbers, which events, timers,
// groups and handles hold instead of pointers. Slot 0 is no connection.
const (
	slabBits = 10
	slabSize = 1 << slabBits
	maxSlabs = 1 << 12
)

// conn is one connection, as its loop knows it.
type conn struct {
	// genClosed is the slot's generation<<1, plus 1 once no more messages may be sent.
	// Any goroutine may read it; see Conn.
	genClosed atomic.Uint32

	// buffered is how many bytes waited after the last write. Any goroutine may read
	// it.
	buffered atomic.Uint32

	// Loop only.
	fd       int32 // -1 while the slot is free
	proto    wsproto.Conn
	endpoint *endpoint // whose handler it has
	value    any
	out      *outbox     // nil while nothing waits to be written
	groups   []place     // its places in the groups it joined
	address  *address    // the address that it counts for, or nil
	why      *CloseError // the first cause of its end, or nil
	tls      *tlsState   // nil without TLS

	heard      uint32 // when the last byte arrived, in ticks
	began      uint32 // when the incomplete message began or, while closing, the close
	unit       uint32 // the incomplete message's number, from wsproto
	timer      timer
	assembling uint32 // bytes received of the incomplete message
	window     uint32 // the second that control counts
	control    uint16 // control frames received in that second
	pinged     uint8  // pings sent since the last byte arrived
	mask       uint8  // what the kernel watches for: wantRead, wantWrite
	flags      flags
}

type flags uint16

const (
	flagOpening    flags = 1 << iota // OnOpen has not been called yet
	flagDirty                        // is in the loop's dirty list
	flagAssembling                   // began and unit are those of an incomplete message
	flagClosing                      // began is that of the close
	flagEnding                       // the write side will be shut when the queue is empty
	flagShut                         // the write side is shut
	flagNotified                     // TLS: close_notify is queued
	flagAgain                        // is in the loop's list of slots that get another turn
	flagEOF                          // the peer's stream ended
	flagBlocked                      // the kernel's buffer is full
	flagFull                         // the queue went over half of its limit: do not read
	flagPaused                       // the application has paused reading
	flagUnread                       // the loop keeps input that the protocol has not seen
	flagGone                         // torn down, to be freed after the iteration
)

func (c *conn) has(f flags) bool { return c.flags&f != 0 }

// at returns the connection in a slot that takeSlot has returned.
func (l *loop) at(slot uint32) *conn {
	return &l.slabs[slot>>slabBits].Load()[slot&(slabSize-1)]
}

// takeSlot returns a free slot and its generation. ok is false if there is none. Any
// goroutine may call it.
func (l *loop) takeSlot() (slot, gen uint32, ok bool) {
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
	return slot, l.at(slot).genClosed.Load() >> 1, true
}

// freeSlots makes slots free that hold no connection, or none any more.
func (l *loop) freeSlots(slots ...uint32) {
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
		gen := (c.genClosed.Load() >> 1) + 1
		c.clear()
		c.genClosed.Store(gen << 1)
	}
	l.conns.Add(-int64(len(l.gone)))
	l.freeSlots(l.gone...)
	l.gone = l.gone[:0]
}

// clear makes c an unused slot. It leaves genClosed alone: other goroutines may read
// it at any time.
func (c *conn) clear() {
	c.fd = -1
	c.proto = wsproto.Conn{}
	c.endpoint, c.value, c.out, c.groups, c.address, c.why, c.tls = nil, nil, nil, nil, nil, nil, nil
	c.buffered.Store(0)
	c.heard, c.began, c.unit, c.assembling, c.window = 0, 0, 0, 0, 0
	c.timer = timer{}
	c.control, c.pinged, c.mask, c.flags = 0, 0, 0, 0
}
