package consistency

import "slices"

// checkReads: a page of history is whole, and holds everything that had been seen when it was
// requested.
func (c *checker) checkReads() {
	for i := range c.history {
		e := &c.history[i]
		if e.Kind != Read {
			continue
		}
		last := e.After
		whole := true
		for _, m := range e.Messages {
			for last+1 < m.Seq && slices.Contains(e.Damaged, last+1) {
				last++
			}
			if m.Seq != last+1 || m.Epoch != e.Messages[0].Epoch {
				c.report(Page, []*Event{e}, "in a page of %s after seq %d, seq %d of epoch %s follows seq %d of epoch %s",
					e.Conversation, e.After, m.Seq, m.Epoch, last, e.Messages[0].Epoch)
				whole = false
				break
			}
			last = m.Seq
		}
		if e.More && len(e.Messages) == 0 {
			c.report(Page, []*Event{e}, "a page of %s after seq %d is empty, and is said not to be the last", e.Conversation, e.After)
		}
		if !whole || e.More || len(e.Messages) == 0 {
			continue
		}
		if s := c.tails[branch{e.Conversation, e.Messages[0].Epoch}].before(e.Began); s != nil && s.seq > last {
			c.report(Lost, []*Event{s.event, e}, "%s reached seq %d of epoch %s, and a later reading ends at seq %d",
				e.Conversation, s.seq, e.Messages[0].Epoch, last)
		}
	}
}

// checkLosses: messages acknowledged in an earlier epoch are in the present one, unless a
// planned loss may have removed them; and without such a loss a conversation is not empty.
func (c *checker) checkLosses() {
	now := map[string]*Event{} // the last reading of each conversation
	for i := range c.history {
		if e := &c.history[i]; e.Kind == Read && (len(e.Messages) > 0 || e.After == 0 && !e.More) {
			now[e.Conversation] = e
		}
	}
	for s := range c.sights() {
		read := now[s.conversation]
		if s.event.Kind != Acked || read == nil || s.event.At >= read.Began || s.Epoch == epochOf(read) || c.mayBeLost(s.event) {
			continue
		}
		if s.Seq <= read.After {
			continue // the reading does not reach back so far
		}
		if kept := c.places[place{branch{s.conversation, epochOf(read)}, s.Seq}]; kept == nil || kept.Content != s.Content {
			c.report(Lost, []*Event{s.event, read}, "%q was acknowledged in %s as seq %d of epoch %s, and is not in what there is now, epoch %q",
				s.Content, s.conversation, s.Seq, s.Epoch, epochOf(read))
		}
	}
}

func (c *checker) mayBeLost(ack *Event) bool {
	return slices.ContainsFunc(c.losses, func(l *Event) bool { return l.Window < 0 || ack.At >= l.Began-l.Window })
}
