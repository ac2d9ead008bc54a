//go:build linux

package faults

import (
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// handle processes a message from the server.
func (c *client) handle(l *link, p packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := l.pending[p.Ref]
	if r != nil {
		delete(l.pending, p.Ref)
	}
	switch p.Type {
	case "heartbeat":
		c.forgotten(l)
		l.beat = time.Time{}
	case "group", "message":
		conversation := p.ReceiverID
		if p.Type == "message" {
			conversation = consistency.Private(p.SenderID, p.ReceiverID)
		}
		c.take(l, conversation, p)
	case "resume":
		c.resumed(l, p)
	case "system":
		switch p.Event {
		case "reload":
			c.reload(l, p)
		case "subscribed":
			c.hears(l, p.ReceiverID, p)
		case "unsubscribed":
			c.deaf(l, p.ReceiverID, consistency.Unsubscribed)
		}
		if here := l.here[p.ReceiverID]; here != nil && p.UserID != "" {
			c.record(l, consistency.Event{Kind: consistency.Moved, Conversation: p.ReceiverID, Users: []string{p.UserID}, Reason: p.Event})
		}
		l.moved(p)
	case "error":
		c.refused(l, r, p)
	default:
		if r == nil {
			c.run.rec.problem("%s at %s gets an answer to nothing: %+v", c.name, l.node.name, p)
			return
		}
		c.answered(l, r, p)
	}
}

// take processes a message that answers no request.
func (c *client) take(l *link, conversation string, p packet) {
	c.record(l, consistency.Event{Kind: consistency.Delivered, Conversation: conversation, Message: p.message()})
	l.live[conversation] = position{p.Epoch, p.Seq}
	c.delivered(conversation, p)
}

func (c *client) record(l *link, e consistency.Event) {
	e.Conn = l.id
	c.run.rec.add(e)
}

// forgotten looks for requests that have been unanswered for so long that they never will
// be, while the server answers heartbeats.
func (c *client) forgotten(l *link) {
	for ref, r := range l.pending {
		if time.Since(r.sent) > answerTime {
			c.run.rec.problem("%s at %s got no answer to %s %s (ref %s) within %v, and one to a heartbeat", c.name, l.node.name, r.kind, r.conversation, ref, answerTime)
			delete(l.pending, ref)
		}
	}
}

func (c *client) reload(l *link, p packet) {
	conversation := c.conversation(l, p.ReceiverID)
	c.record(l, consistency.Event{Kind: consistency.Reload, Conversation: conversation, Message: p.message()})
	l.live[conversation] = position{p.Epoch, p.Seq}
	c.subscribed(conversation, p)
}

// conversation names what a receiver and the user of a connection have in common.
func (c *client) conversation(l *link, receiver string) string {
	if strings.HasPrefix(receiver, "u_") {
		return consistency.Private(receiver, l.ok.UserID)
	}
	return receiver
}

// answered processes the answer to a request.
func (c *client) answered(l *link, r *request, p packet) {
	switch r.kind {
	case "join":
		c.person.isMember(r.conversation)
		c.hears(l, r.conversation, p)
	case "leave":
		delete(c.leaving, r.conversation)
		delete(c.held, r.conversation)
		c.deaf(l, r.conversation, consistency.Left)
	case "unsubscribe":
		l.muted[r.conversation], l.silent[r.conversation] = true, true
		c.deaf(l, r.conversation, consistency.Unsubscribed)
	case "group", "message":
		c.record(l, consistency.Event{Kind: consistency.Acked, Conversation: r.conversation, Ref: p.Ref, Message: p.message()})
		c.drop(p.Ref)
	case "history":
		e := consistency.Event{Kind: consistency.Read, Began: r.began, Conversation: r.conversation, After: r.after, Messages: messages(p), More: p.HasMore, Damaged: p.Damaged}
		if r.newest && len(e.Messages) > 0 {
			e.After, e.More = e.Messages[0].Seq-1, false
		}
		c.record(l, e)
		if r.catchingUp {
			c.readPage(l, r.conversation, p)
		}
	case "presence":
		c.present(l, r, p)
	case "peers":
		c.reach(l, p.Peers, func(peer packet) string { return consistency.Private(peer.UserID, l.ok.UserID) })
	case "rooms":
		c.reach(l, p.Rooms, func(room packet) string { return room.ReceiverID })
	}
	if r.first {
		l.ready = true
		c.record(l, consistency.Event{Kind: consistency.Ready, Told: c.told()})
	}
}

// reach notes how far conversations reach.
func (c *client) reach(l *link, list []packet, name func(packet) string) {
	for _, p := range list {
		if h := c.held[name(p)]; h != nil {
			h.want = max(h.want, p.Seq)
		}
	}
}

func messages(p packet) (all []consistency.Message) {
	for _, m := range p.Messages {
		all = append(all, m.message())
	}
	return all
}

func users(p packet) (ids []string) {
	for _, u := range p.Users {
		ids = append(ids, u.UserID)
	}
	return ids
}

// drop removes a message that has its final answer.
func (c *client) drop(ref string) {
	for i, o := range c.outbox {
		if o.ref == ref {
			c.outbox = append(c.outbox[:i], c.outbox[i+1:]...)
			return
		}
	}
}

// maxAttempts is how often a client tries to send a refused message before it may give
// up.
const maxAttempts = 4

// refused processes an error.
func (c *client) refused(l *link, r *request, p packet) {
	c.run.rec.count("refused: " + p.Reason)
	if p.Reason == "session_ended" && c.run.forgets && c.run.lossy.Load() { // with the user
		c.session = packet{}
	} else if p.Code != 503 && p.Code != 429 && p.Code != 404 {
		c.run.rec.problem("%s at %s is refused: %d %s %s", c.name, l.node.name, p.Code, p.Reason, p.Message)
	}
	if r == nil {
		return
	}
	wait := max(retryTime, time.Duration(p.RetryAfter)*time.Millisecond)
	switch r.kind {
	case "history":
		if h := c.held[r.conversation]; h != nil && r.catchingUp {
			h.asked, h.again = false, time.Now().Add(wait)
			if p.Code == 404 { // there is no history any more
				c.distrust(l, r.conversation)
			}
		}
	case "peers":
		l.asked = l.asked && !r.first
	case "group", "message":
		c.record(l, consistency.Event{Kind: consistency.Refused, Conversation: r.conversation, Ref: p.Ref, Reason: p.Reason})
		for _, o := range c.outbox {
			if o.ref != p.Ref {
				continue
			}
			o.conn, o.again = 0, time.Now().Add(wait)
			final := p.Code == 404 || o.attempts >= maxAttempts && c.rng.IntN(2) == 0
			if final && p.Reason != consistency.OutcomeUnknown {
				c.drop(p.Ref)
			}
			return
		}
	}
}
