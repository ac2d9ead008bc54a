//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// audit reads everything from every node, while the clients are at rest. Its connections are
// not part of the history.
type audit struct {
	run   *run
	links map[auditKey]*link
	refs  int
}

type auditKey struct {
	node *node
	user *person
}

// pass reads the presence in the rooms, and all conversations: from each node their ends, and
// if full everything. It returns that as events, and what is wrong, or "".
func (a *audit) pass(ctx context.Context, full bool) (events []consistency.Event, wrong string) {
	defer a.close() // the auditors' users are in their rooms, too
	note := func(problem string) {
		if wrong == "" {
			wrong = problem
		}
	}
	for _, n := range a.run.nodes {
		for _, room := range a.run.rooms {
			e, err := a.present(ctx, n, room)
			if err != nil {
				return events, err.Error()
			}
			events = append(events, e)
			note(a.run.wrongPresence(e))
		}
	}
	for _, e := range a.run.watched() {
		events = append(events, e)
		note(a.run.wrongPresence(e))
	}
	for _, n := range a.run.nodes {
		for _, t := range a.run.targets() {
			e, err := a.read(ctx, n, t, full)
			if err != nil {
				return events, err.Error()
			}
			events = append(events, e)
			note(a.run.wrongEnd(e))
		}
	}
	return events, wrong
}

// target is a conversation, and which users may read it by which name.
type target struct {
	conversation, receiver string
	reader                 *person
}

// targets lists the conversations that exist, of the present users.
func (r *run) targets() (all []target) {
	for _, room := range r.rooms {
		all = append(all, target{room, room, r.auditor})
	}
	users := map[string]*person{}
	for _, p := range r.people {
		users[p.get().ID] = p
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conversation := range slices.Sorted(maps.Keys(r.talks)) {
		a, b, _ := strings.Cut(conversation, "|")
		if users[a] != nil && users[b] != nil {
			all = append(all, target{conversation, b, users[a]})
		}
	}
	return all
}

func (a *audit) present(ctx context.Context, n *node, room string) (consistency.Event, error) {
	e := consistency.Event{Kind: consistency.Present, Began: a.run.rec.now(), Node: n.name, Conversation: room}
	p, err := a.call(ctx, n, a.run.auditor, packet{Type: "presence", ReceiverID: room})
	e.Users = users(p)
	return e, err
}

// read reads a conversation: all of it, or its last page.
func (a *audit) read(ctx context.Context, n *node, t target, full bool) (consistency.Event, error) {
	e := consistency.Event{Kind: consistency.Read, Began: a.run.rec.now(), Node: n.name, Conversation: t.conversation}
	for after := uint64(0); ; {
		ask := packet{Type: "history", ReceiverID: t.receiver, Limit: 100}
		if full {
			ask.AfterSeq = &after
		}
		p, err := a.call(ctx, n, t.reader, ask)
		if refused, ok := errors.AsType[*refusedError](err); ok && refused.Reason == "unknown_room" {
			return e, nil
		}
		if err != nil {
			return e, err
		}
		e.Messages, e.Damaged = append(e.Messages, messages(p)...), append(e.Damaged, p.Damaged...)
		switch {
		case !full && len(e.Messages) > 0:
			e.After = e.Messages[0].Seq - 1
			fallthrough
		case !full, !p.HasMore, len(p.Messages) == 0:
			return e, nil
		}
		after = e.Messages[len(e.Messages)-1].Seq
	}
}

// call sends a request as a user, and returns the answer.
func (a *audit) call(ctx context.Context, n *node, user *person, ask packet) (packet, error) {
	l, err := a.link(ctx, n, user)
	if err != nil {
		return packet{}, fmt.Errorf("%s does not let %s in: %w", n.name, user.name, err)
	}
	a.refs++
	ask.Ref = fmt.Sprint("audit-", a.refs)
	err = l.write(ctx, ask)
	for timeout := time.After(answerTime); err == nil; {
		select {
		case p, ok := <-l.in:
			switch {
			case !ok:
				err = errors.New("the connection ended")
			case p.Ref == ask.Ref && p.Type == "error":
				return p, &refusedError{p}
			case p.Ref == ask.Ref:
				return p, nil
			}
		case <-timeout:
			err = fmt.Errorf("no answer within %v", answerTime)
		}
	}
	l.end()
	delete(a.links, auditKey{n, user})
	return packet{}, fmt.Errorf("%s: %s %s: %w", n.name, ask.Type, ask.ReceiverID, err)
}

func (a *audit) link(ctx context.Context, n *node, user *person) (*link, error) {
	key := auditKey{n, user}
	if l := a.links[key]; l != nil {
		return l, nil
	}
	account := user.get()
	l, err := dial(ctx, n, packet{Type: "auth", Token: account.Token})
	if refused, ok := errors.AsType[*refusedError](err); ok && a.run.unknown(refused) {
		return nil, errors.Join(err, user.renew(ctx, n, account.Token))
	}
	if err == nil {
		a.links[key] = l
	}
	return l, err
}

func (a *audit) close() {
	for key, l := range a.links {
		l.end()
		delete(a.links, key)
	}
}

// wrongPresence says what is wrong with the reported presence in a room, or "".
func (r *run) wrongPresence(e consistency.Event) string {
	want := map[string]bool{}
	for _, c := range r.clients {
		c.mu.Lock()
		if c.link != nil && c.link.joined[e.Conversation] {
			want[c.link.ok.UserID] = true
		}
		c.mu.Unlock()
	}
	if ids := slices.Sorted(maps.Keys(want)); !slices.Equal(ids, e.Users) {
		return fmt.Sprintf("%s %s says that in %s there are %v; there are %v", e.Client, e.Node, e.Conversation, e.Users, ids)
	}
	return ""
}

// wrongEnd says which client has not got everything that was read, or "".
func (r *run) wrongEnd(e consistency.Event) string {
	if len(e.Messages) == 0 {
		return ""
	}
	last := e.Messages[len(e.Messages)-1]
	for _, c := range r.clients {
		c.mu.Lock()
		l := c.link
		var at position
		on := false
		if l != nil {
			at, on = l.live[e.Conversation]
		}
		c.mu.Unlock()
		if one, other, private := strings.Cut(e.Conversation, "|"); private && at.epoch != last.Epoch {
			// Only the next message announces the conversation, or another epoch.
			if l != nil && (l.ok.UserID == one || l.ok.UserID == other) && r.saidSince(last.Content, l.began) {
				return fmt.Sprintf("%s at %s has got nothing of %s in epoch %s; at %s it ends at %d", c.name, l.node.name, e.Conversation, last.Epoch, e.Node, last.Seq)
			}
			continue
		}
		if on && at != (position{last.Epoch, last.Seq}) {
			return fmt.Sprintf("%s at %s has got %s up to seq %d of epoch %s; at %s it ends at %d of %s",
				c.name, l.node.name, e.Conversation, at.seq, at.epoch, e.Node, last.Seq, last.Epoch)
		}
	}
	return ""
}
