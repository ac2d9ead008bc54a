//go:build linux

package faults

import "time"

// holding is what a client holds of one conversation: everything from the place where it
// began up to whole, and some messages beyond that.
type holding struct {
	epoch string
	whole uint64
	more  map[uint64]bool
	want  uint64    // messages exist up to here
	again time.Time // when to ask for more
	asked bool      // and not answered

	last     string // the last position that the server has named
	position position
}

func newHolding(epoch string, whole uint64) *holding {
	return &holding{epoch: epoch, whole: whole, want: whole, more: map[uint64]bool{}}
}

func (h *holding) add(seq uint64) {
	if seq > h.whole {
		h.more[seq] = true
		h.want = max(h.want, seq)
	}
	for h.more[h.whole+1] {
		h.whole++
		delete(h.more, h.whole)
	}
}

// complete reports whether nothing is missing.
func (h *holding) complete() bool { return h.whole >= h.want }

// subscribed notes that a conversation reaches up to the place in p. Messages of another epoch
// are forgotten.
func (c *client) subscribed(conversation string, p packet) {
	h := c.held[conversation]
	if h == nil || h.epoch != p.Epoch {
		h = newHolding(p.Epoch, p.Seq)
		c.held[conversation] = h
	}
	h.want = max(h.want, p.Seq)
	h.told(p)
}

// delivered notes a message that answers no request.
func (c *client) delivered(conversation string, p packet) {
	h := c.held[conversation]
	if h == nil || h.epoch != p.Epoch {
		h = newHolding(p.Epoch, p.Seq-1)
		c.held[conversation] = h
	}
	h.add(p.Seq)
	h.told(p)
	c.since = max(c.since, p.ServerTS)
}

// told keeps the position that a message of the server names.
func (h *holding) told(p packet) {
	if p.Position != "" {
		h.last, h.position = p.Position, position{p.Epoch, p.Seq}
	}
}

// readPage notes a page that was requested to catch up. If that does not help, the history has
// been replaced: the room is joined again, and for private conversations the next message
// tells.
func (c *client) readPage(l *link, conversation string, p packet) {
	h := c.held[conversation]
	if h == nil {
		return
	}
	h.asked = false
	before := h.whole
	for _, m := range p.Messages {
		if m.Epoch == h.epoch {
			h.add(m.Seq)
		}
	}
	for _, seq := range p.Damaged {
		h.add(seq)
	}
	if h.whole == before && !h.complete() {
		h.again = time.Now().Add(retryTime)
		c.distrust(l, conversation)
	}
}
