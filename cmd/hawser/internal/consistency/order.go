package consistency

import "slices"

// checkOrder: all clients agree on the message at a place, and no message is at two places.
func (c *checker) checkOrder() {
	type named struct {
		branch
		name string
	}
	ids, contents := map[named]*sight{}, map[named]*sight{}
	said := map[named]bool{} // already reported: all clients see the same
	for s := range c.sights() {
		switch old := c.places[s.place()]; {
		case old == nil:
			c.places[s.place()] = s
		case same(&old.Message, &s.Message):
			old.complete(&s.Message)
		default:
			c.report(Order, []*Event{old.event, s.event}, "%s has at seq %d of epoch %s the message %s %q of %s, and also %s %q of %s",
				s.conversation, s.Seq, s.Epoch, old.ID, old.Content, old.Sender, s.ID, s.Content, s.Sender)
			continue
		}
		id := named{s.branch(), s.ID}
		if old := ids[id]; old == nil {
			ids[id] = s
		} else if old.Seq != s.Seq {
			c.report(Order, []*Event{old.event, s.event}, "%s has the id %s at seq %d and at seq %d of epoch %s", s.conversation, s.ID, old.Seq, s.Seq, s.Epoch)
			continue
		}
		content := named{s.branch(), s.Content}
		if old := contents[content]; old == nil {
			contents[content] = s
		} else if old.Seq != s.Seq && !said[content] && !c.mayDouble(s.Content) {
			said[content] = true
			c.report(Doubled, []*Event{old.event, s.event}, "%s has the message %q at seq %d and at seq %d of epoch %s", s.conversation, s.Content, old.Seq, s.Seq, s.Epoch)
		}
	}
}

// same reports whether two sights are of one message. An acknowledgement whose message is not
// known has no content.
func same(a, b *Message) bool {
	return a.ID == b.ID && (a.Content == b.Content && a.Sender == b.Sender || a.Content == "" || b.Content == "") &&
		(a.ServerTS == b.ServerTS || a.ServerTS == 0 || b.ServerTS == 0)
}

// complete adds the fields that an acknowledgement does not have.
func (s *sight) complete(m *Message) {
	if s.Content == "" {
		s.Content, s.Sender = m.Content, m.Sender
	}
	if s.ServerTS == 0 {
		s.ServerTS = m.ServerTS
	}
}

// mayDouble reports whether a message may be stored twice: a ref is known within an epoch, and
// a loss that kept older data has begun a new one between the attempts to send it.
func (c *checker) mayDouble(content string) bool {
	s := c.content[content]
	if s == nil {
		return false
	}
	for _, l := range c.losses {
		if l.Window >= 0 && s.first.At <= l.At && l.Began <= s.last.At {
			return true
		}
	}
	return false
}

// checkGhosts: every message that is seen was sent, by this sender, to this conversation, and
// not refused each time.
func (c *checker) checkGhosts() {
	for s := range c.sights() {
		sent := c.content[s.Content]
		switch {
		case s.event.Kind == Acked: // checkAnswers says whether it answers anything
		case sent == nil:
			c.report(Ghost, []*Event{s.event}, "%s has the message %s %q, which nobody sent", s.conversation, s.ID, s.Content)
		case sent.conversation != s.conversation || sent.user != s.Sender:
			c.report(Ghost, []*Event{sent.first, s.event}, "%s has the message %s %q of %s; it was sent to %s by %s",
				s.conversation, s.ID, s.Content, s.Sender, sent.conversation, sent.user)
		case sent.refusals == sent.attempts:
			c.report(Ghost, []*Event{sent.first, s.event}, "%s has the message %s %q, which was refused as often as it was sent", s.conversation, s.ID, s.Content)
		}
	}
}

// checkAnswers: an answer belongs to a message, and when the service is well no message is
// without one.
func (c *checker) checkAnswers() {
	for i := range c.history {
		e := &c.history[i]
		if e.Kind != Acked && e.Kind != Refused {
			continue
		}
		if s := c.sends[sendKey{c.user(e), e.Conversation, e.Ref}]; s == nil || s.conns[e.Conn] == 0 {
			c.report(Unanswered, []*Event{e}, "an answer to ref %s in %s, which was not sent on this connection", e.Ref, e.Conversation)
		}
	}
	for _, w := range c.settled {
		for _, s := range c.sent {
			if s.last.At < w.Began && !s.answered && !c.forgotten(s) {
				c.report(Unanswered, []*Event{s.first, s.last, w}, "%q to %s was never answered", s.content, s.conversation)
			}
		}
	}
}

// forgotten reports whether the sender of a message has been lost together with everything
// else. The client has come back as another user, who knows nothing of the message.
func (c *checker) forgotten(s *send) bool {
	return slices.ContainsFunc(c.losses, func(l *Event) bool { return l.Window < 0 && c.users[s.user].At < l.At })
}
