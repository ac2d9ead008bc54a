package server

import (
	"sync/atomic"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Connections live in slabs and are identified by slot numbers, which events, timers and
// groups hold instead of pointers. Slot 0 is no connection.
const (
	slabBits = 10
	slabSize = 1 << slabBits
	maxSlabs = 1 << 12
)

// conn is one connection, as its loop knows it. It fills exactly three cache lines. What few
// connections have at a time is in maps of the loop, by slot.
type conn struct {
	// Immutable, whatever connection the slot holds.
	loop *loop
	slot uint32

	// genClosed is the slot's generation<<1, plus 1 once no more messages may be sent.
	// Any goroutine may read it; see Conn.
	genClosed atomic.Uint32

	// posted is how many bytes were sent that the loop has not queued; see room.go. Any
	// goroutine.
	posted posted

	// stream is the message that is being sent in fragments, or nil. Any goroutine may read
	// how much waits behind it.
	stream atomic.Pointer[stream]

	// buffered is how many bytes waited after the last write. Any goroutine may read
	// it.
	buffered atomic.Uint32

	// Loop only.
	fd       int32
	phase    phase
	mask     uint8 // what the kernel watches for: wantRead, wantWrite, wantEnd
	pinged   uint8 // pings sent since the last byte arrived
	flags    flags
	control  uint16    // control frames received in the second window
	window   uint16    // the second that control counts, modulo 1<<16
	unit     uint16    // the incomplete message's number, from wsproto, modulo 1<<16
	heard    uint32    // when the last byte arrived, in ticks
	endpoint *endpoint // whose handler it has
	value    any
	proto    wsproto.Conn
	out      *outbox      // nil while nothing waits to be written
	groups   *memberships // nil while it is in no group
	address  *address     // the address that it counts for, or nil
	tls      *tlsState    // nil without TLS

	began      uint32 // when the incomplete message began or, from closing on, the close
	assembling uint32 // bytes received of the incomplete message
	timer      timer
}

// cause returns the first cause of the connection's end, or nil.
func (c *conn) cause() *CloseError { return c.loop.causes[c.slot] }

// negotiated returns what its opening handshake negotiated, or nil for the zero Result.
func (c *conn) negotiated() *handshake.Result { return c.loop.handshakes[c.slot] }

// behind returns how many bytes wait behind the message that is sent in fragments. Any
// goroutine.
func (c *conn) behind() int {
	if s := c.stream.Load(); s != nil {
		return int(s.bytes.Load())
	}
	return 0
}

// flags are what holds of a connection besides its phase (life.go).
type flags uint16

const (
	flagOpened     flags = 1 << iota // OnOpen was called, so OnClose is due
	flagDirty                        // is in the loop's dirty list
	flagAssembling                   // began and unit are those of an incomplete message
	flagNotified                     // TLS: close_notify is queued
	flagAgain                        // is in the loop's list of connections that get another turn
	flagEOF                          // the peer's stream ended
	flagBlocked                      // the kernel's buffer is full
	flagFull                         // the queue went over half of its limit: do not read
	flagPaused                       // the application has paused reading
	flagUnread                       // the loop keeps input that the protocol has not seen
	flagTell                         // a notice is due when there is room
	flagTellWriter                   // a MessageWriter waits for room
	flagHolds                        // is in the loop's list of those that use some of the budget
	flagFailed                       // writing failed; the iteration tears it down
)

func (c *conn) has(f flags) bool { return c.flags&f != 0 }

// gen is the generation of the connection in the slot.
func (c *conn) gen() uint32 { return c.genClosed.Load() >> 1 }

// handle returns the handle of the connection in the slot.
func (c *conn) handle() Conn { return Conn{c, c.gen()} }

// at returns the connection in a slot that takeSlot has returned.
func (l *loop) at(slot uint32) *conn {
	return &l.slabs[slot>>slabBits].Load()[slot&(slabSize-1)]
}

// takeSlot returns a handle for the next connection in a free slot. ok is false if there
// is none. Any goroutine may call it.
func (l *loop) takeSlot() (c Conn, ok bool) {
	l.free.mu.Lock()
	defer l.free.mu.Unlock()
	var slot uint32
	if n := len(l.free.slots); n > 0 {
		slot = l.free.slots[n-1]
		l.free.slots = l.free.slots[:n-1]
	} else {
		slot = l.free.next
		if slot>>slabBits >= maxSlabs {
			return Conn{}, false
		}
		if l.slabs[slot>>slabBits].Load() == nil {
			l.slabs[slot>>slabBits].Store(l.newSlab(slot))
		}
		l.free.next++
	}
	return l.at(slot).handle(), true
}

// freeSlot makes a slot free that holds no connection, or none any more.
func (l *loop) freeSlot(c *conn) {
	l.free.mu.Lock()
	defer l.free.mu.Unlock()
	l.free.slots = append(l.free.slots, c.slot)
}

// newSlab makes the slab whose first slot has the given number.
func (l *loop) newSlab(first uint32) *[slabSize]conn {
	s := new([slabSize]conn)
	for i := range s {
		s[i].loop, s[i].slot = l, first&^(slabSize-1)+uint32(i)
	}
	return s
}

// reap frees the slots of the connections that ended in this iteration.
func (l *loop) reap() {
	if len(l.gone) == 0 {
		return
	}
	for _, c := range l.gone {
		c.recycle()
	}
	l.whenGone.call(l.gone)
	l.conns.Add(-int64(len(l.gone)))
	l.free.mu.Lock()
	for _, c := range l.gone {
		l.free.slots = append(l.free.slots, c.slot)
	}
	l.free.mu.Unlock()
	clear(l.gone)
	l.gone = l.gone[:0]
}

// recycle makes c an unused slot of a new generation.
func (c *conn) recycle() {
	next := c.gen() + 1
	c.clear()
	c.posted.v.Store(uint64(next) << 32)
	c.genClosed.Store(next << 1)
}

// clear makes c an unused slot. It leaves genClosed and posted alone: other goroutines
// may read them at any time.
func (c *conn) clear() {
	c.move(vacant)
	c.mask, c.flags, c.fd, c.pinged, c.control, c.window = 0, 0, -1, 0, 0, 0
	c.endpoint, c.value, c.proto = nil, nil, wsproto.Conn{}
	c.out, c.groups, c.address, c.tls = nil, nil, nil, nil
	c.stream.Store(nil)
	c.buffered.Store(0)
	c.heard, c.began, c.unit, c.assembling = 0, 0, 0, 0
	c.timer = timer{}
}
