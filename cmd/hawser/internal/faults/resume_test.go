//go:build linux

package faults

import (
	"maps"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// auth returns the client's auth: its identity, and what it holds.
func (c *client) auth(a account) packet {
	if a.Token != c.token { // another user, who knows nothing
		c.token, c.user, c.session, c.since, c.outbox = a.Token, a.ID, packet{}, 0, nil
		c.held, c.leaving = map[string]*holding{}, map[string]bool{}
	}
	p := packet{Type: "auth", Token: a.Token, Features: c.features}
	if !c.resumes {
		return p
	}
	p.Resume = &held{Positions: map[string]string{}, Since: c.since}
	for conversation, h := range c.held {
		if h.last != "" {
			p.Resume.Positions[c.receiver(conversation)] = h.last
		}
	}
	if c.session.SessionID != "" {
		p.SessionID, p.ResumeKey = c.session.SessionID, c.session.ResumeKey
		if c.rng.IntN(2) == 0 {
			p.Token = ""
		}
	}
	return p
}

// authenticated notes the effect of auth_ok: the client hears the conversations that
// it has named.
func (c *client) authenticated(l *link, auth packet) {
	c.session = l.ok
	if !c.resumes {
		return
	}
	if l.ok.Resumed {
		c.run.rec.count("sessions resumed")
	}
	for _, conversation := range slices.Sorted(maps.Keys(c.held)) {
		h := c.held[conversation]
		if auth.Resume.Positions[c.receiver(conversation)] == "" {
			continue
		}
		c.record(l, consistency.Event{Kind: consistency.Resumed, Conversation: conversation, Message: consistency.Message{Epoch: h.position.epoch, Seq: h.position.seq}})
		l.live[conversation] = h.position
		l.joined[conversation] = !strings.Contains(conversation, "|")
	}
}

// receiver returns the server's name for a conversation.
func (c *client) receiver(conversation string) string {
	a, b, private := strings.Cut(conversation, "|")
	if private && a == c.user {
		return b
	}
	return a
}

// resumed processes an answer to resume.
func (c *client) resumed(l *link, p packet) {
	conversation := c.conversation(l, p.ReceiverID)
	c.run.rec.count("resume: " + p.Status)
	switch p.Status {
	case "missed":
		for _, m := range p.Messages {
			c.take(l, conversation, m)
		}
	case "reload":
		c.reload(l, p)
	case "new":
		c.hears(l, conversation, p)
	case "gone":
		c.deaf(l, conversation, consistency.Gone)
		c.person.forget(conversation)
	}
}
