package server

import (
	"slices"

	"github.com/hawser-ws/hawser/frame"
)

// outbox is what waits to be written on one connection. A connection has one
// only while something waits.
type outbox struct {
	segs         []segment // from head on
	head         int
	first        [2]segment // the initial array of segs
	bytes        int        // that wait, over all segments
	torn         int        // bytes at the front that complete a partly written frame
	lastProgress uint32     // when the kernel last took a byte, in ticks
}

// segment is a run of whole frames, except that a part of the first one may have been
// written already. Its memory is a wsproto.Prepared's, that of a run of a group's messages
// (joinFrames), a part of the loop's arena or, if the kernel did not take it in its iteration,
// its own.
type segment struct {
	b     []byte
	arena bool
	of    *state // that it is a version of, or nil
}

// push adds whole frames. If they directly follow the last segment in memory, they become part
// of it, so that a burst of small messages is one write. A version of a state remains a segment
// of its own, which may be taken back.
func (o *outbox) push(s segment) {
	o.bytes += len(s.b)
	if n := len(o.segs); n > o.head {
		last := &o.segs[n-1]
		if s.of == nil && last.of == nil && s.arena == last.arena && follows(s.b, last.b) {
			last.b = last.b[:len(last.b)+len(s.b)]
			return
		}
	}
	o.segs = append(o.segs, s)
}

// follows reports whether b begins where a ends, in the same allocation.
func follows(b, a []byte) bool {
	n := len(a)
	return cap(a)-n >= len(b) && &a[:n+1][n] == &b[0]
}

// remove takes back the waiting version of a state, unless a part of it has been written. It returns
// the frame's length, or 0.
func (o *outbox) remove(of *state) int {
	for i := len(o.segs) - 1; i >= o.head; i-- {
		if s := o.segs[i]; s.of != nil && *s.of == *of && (i > o.head || o.torn == 0) {
			o.segs = slices.Delete(o.segs, i, i+1)
			o.bytes -= len(s.b)
			return len(s.b)
		}
	}
	return 0
}

// advance drops the first n bytes, which were written.
func (o *outbox) advance(n int) {
	o.bytes -= n
	for n > 0 {
		s := &o.segs[o.head]
		if n < len(s.b) {
			o.torn = tornAfter(s.b, o.torn, n)
			s.b = s.b[n:]
			return
		}
		n -= len(s.b)
		o.torn = 0
		*s = segment{}
		o.head++
	}
	if o.head > len(o.segs)/2 {
		o.compact()
	}
}

func (o *outbox) compact() {
	n := copy(o.segs, o.segs[o.head:])
	clear(o.segs[n:])
	o.segs = o.segs[:n]
	o.head = 0
}

// tornAfter returns how many bytes complete the frame that is cut at n. The first torn
// bytes of b complete a frame that was cut before.
func tornAfter(b []byte, torn, n int) int {
	end := torn
	for end < n {
		h, size, err := frame.ParseHeader(b[end:])
		if err != nil || size == 0 {
			panic("server: internal error: outbox holds what is not a frame")
		}
		end += size + int(h.Length)
	}
	return end - n
}

// discard drops every frame of which nothing has been written.
func (o *outbox) discard() {
	if o.torn == 0 {
		clear(o.segs)
		o.segs, o.head, o.bytes = o.segs[:0], 0, 0
		return
	}
	front := segment{b: append([]byte(nil), o.segs[o.head].b[:o.torn]...)}
	clear(o.segs)
	o.segs, o.head, o.bytes = append(o.segs[:0], front), 0, o.torn
}

// copyOutOfArena copies the segments that are in the arena, which the next iteration
// reuses.
func (o *outbox) copyOutOfArena() {
	for i := range o.segs[o.head:] {
		if s := &o.segs[o.head+i]; s.arena {
			*s = segment{b: append([]byte(nil), s.b...)}
		}
	}
}

// waiting returns how many bytes wait to be written on a connection: those in its
// outbox, and TLS's ciphertext.
func (c *conn) waiting() (n int) {
	if c.out != nil {
		n = c.out.bytes
	}
	if c.tls != nil {
		n += len(c.tls.sock.out)
	}
	return n
}

// queuedBytes returns how many bytes of frames wait on a connection, with those behind a
// message that is sent in fragments.
func (c *conn) queuedBytes() int {
	n := c.behind()
	if c.out != nil {
		n += c.out.bytes
	}
	return n
}

// outboxOf returns the connection's outbox, and gives it one if it has none.
func (l *loop) outboxOf(c *conn) *outbox {
	if c.out == nil {
		if n := len(l.outboxes); n > 0 {
			c.out = l.outboxes[n-1]
			l.outboxes = l.outboxes[:n-1]
			l.spareSegments -= cap(c.out.segs)
		} else {
			c.out = new(outbox)
			c.out.segs = c.out.first[:0]
		}
		c.out.lastProgress = l.now
	}
	return c.out
}

// dropOutbox takes the outbox away from the connection, and discards its content.
func (l *loop) dropOutbox(c *conn) {
	o := c.out
	if o == nil {
		return
	}
	c.out = nil
	l.traffic[queued] -= uint64(o.bytes)
	clear(o.segs)
	segs := o.segs[:0]
	if cap(segs) > 2*maxVector {
		segs = o.first[:0]
	}
	*o = outbox{segs: segs}
	if l.spareSegments+cap(segs) <= maxSpareSegments {
		l.spareSegments += cap(segs)
		l.outboxes = append(l.outboxes, o)
	}
}

// maxSpareSegments bounds the capacity of a loop's unused outboxes: many small ones, where
// everybody is sent something in one iteration, or few large ones.
const maxSpareSegments = 1 << 15
