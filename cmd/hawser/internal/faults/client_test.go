//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// retryTime is how long a client waits before it tries a refused request again.
const retryTime = 300 * time.Millisecond

// client is one device of a user. This file owns its connections: it connects to any node,
// reads what it missed, and sends again what was not acknowledged. How it resumes is in
// resume_test.go, how it subscribes to rooms in rooms_test.go, what it holds in
// holding_test.go, and what it sends in workload_test.go.
type client struct {
	name     string
	run      *run
	person   *person
	features []string
	resumes  bool // it resumes its session, and says what it holds
	trusts   bool // it does not join rooms that its user is a member of

	mu sync.Mutex
	// Guarded by mu.
	rng     *rand.Rand
	token   string // of the user that all of this is about
	user    string // their id
	session packet // the last auth_ok
	held    map[string]*holding
	leaving map[string]bool // rooms that its user has left, which the server may not know
	outbox  []*outgoing     // messages without a final answer
	link    *link           // nil while it is not connected
	since   int64           // the highest server_ts that it has seen
	next    int             // number of the next ref
	acting  time.Time       // when it does something next
}

// outgoing is a message on its way.
type outgoing struct {
	conversation, receiver, ref, content string
	kind                                 string // group or message
	attempts                             int
	conn                                 int       // the connection on which it waits for an answer; 0: none
	again                                time.Time // when to send it again
}

// request is a request that has not been answered.
type request struct {
	kind         string // its type
	conversation string
	began        time.Duration
	sent         time.Time
	after        uint64
	newest       bool // of history: the last page, whatever it begins with
	catchingUp   bool
	first        bool // over all requests of the connection
	verifying    bool // of presence: the client thinks that it is in the room
	watching     bool // of presence: the client is told of changes from then on
}

// live connects again and again, until the context ends.
func (c *client) live(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := c.connect(ctx)
		if err != nil {
			c.run.rec.count("failed to connect")
			c.pause(ctx)
			continue
		}
		reason := c.serve(ctx, l)
		c.mu.Lock()
		c.link = nil
		c.mu.Unlock()
		c.run.rec.add(consistency.Event{Kind: consistency.Disconnected, Conn: l.id, Client: c.name, Reason: reason})
		l.end()
	}
}

func (c *client) pause(ctx context.Context) {
	c.mu.Lock()
	d := 50*time.Millisecond + time.Duration(c.rng.Int64N(int64(retryTime)))
	c.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (c *client) connect(ctx context.Context) (*link, error) {
	a := c.person.get()
	c.mu.Lock()
	n := c.run.nodes[c.rng.IntN(len(c.run.nodes))]
	auth := c.auth(a)
	c.mu.Unlock()
	flushes := c.run.flushes.Load()
	l, err := dial(ctx, n, auth)
	c.mu.Lock()
	defer c.mu.Unlock()
	if refused, ok := errors.AsType[*refusedError](err); ok {
		c.run.rec.count("auth: " + refused.Reason)
		switch {
		case refused.Reason == "session_refused":
			c.session = packet{}
		case c.run.unknown(refused):
			return nil, errors.Join(err, c.person.renew(ctx, n, a.Token))
		case refused.Reason == "auth_timeout" && c.run.breaking(): // the node was stopped, or its link cut, for that long
		case refused.Code != 503:
			c.run.rec.problem("%s is not let in by %s: %v", c.name, n.name, err)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, h := range c.held {
		h.asked = false
	}
	l.id, l.began, l.flushes = c.run.rec.connection(), c.run.rec.now(), flushes
	c.record(l, consistency.Event{Kind: consistency.Connected, Client: c.name, User: l.ok.UserID, Node: n.name})
	c.authenticated(l, auth)
	c.link = l
	return l, nil
}

// serve drives a connection until it ends, and returns the reason.
func (c *client) serve(ctx context.Context, l *link) string {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return "the run is over"
		case p, ok := <-l.in:
			if !ok {
				return "closed"
			}
			c.handle(l, p)
		case now := <-tick.C:
			if reason := c.step(ctx, l, now); reason != "" {
				return reason
			}
		}
	}
}

// ask sends a request, and notes it first.
func (c *client) ask(ctx context.Context, l *link, p packet, r request) error {
	if p.Ref == "" {
		p.Ref = c.ref()
	}
	r.kind, r.began, r.sent = p.Type, c.run.rec.now(), time.Now()
	l.pending[p.Ref] = &r
	return l.write(ctx, p)
}

func (c *client) ref() string {
	c.next++
	return fmt.Sprintf("%s-%d", c.name, c.next)
}

// step does what is due. It returns why the connection must end, or "".
func (c *client) step(ctx context.Context, l *link, now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.beat.IsZero() && now.Sub(l.beat) > beatTime {
		return "no answer to a heartbeat"
	}
	if l.flushes < c.run.flushes.Load() && !c.run.breaking() {
		return "its user was lost" // connections stay, but the service has forgotten their users
	}
	var err error
	if l.beat.IsZero() && now.Sub(l.beaten) > beatEvery {
		l.beat, l.beaten = now, now
		err = l.write(ctx, packet{Type: "heartbeat"})
	}
	for _, due := range []func(context.Context, *link, time.Time) error{c.move, c.watch, c.catchUp, c.send} {
		if err == nil {
			err = due(ctx, l, now)
		}
	}
	if err != nil {
		return "cannot write"
	}
	if c.run.breaking() && now.After(c.acting) {
		c.acting = now.Add(time.Duration(c.rng.ExpFloat64() * float64(c.run.pace)))
		return c.act(ctx, l)
	}
	return ""
}

func (l *link) waits(kind, conversation string) bool {
	for _, r := range l.pending {
		if r.kind == kind && r.conversation == conversation {
			return true
		}
	}
	return false
}

// catchUp asks for missing messages.
func (c *client) catchUp(ctx context.Context, l *link, now time.Time) error {
	if !l.asked {
		l.asked = true
		if err := c.ask(ctx, l, packet{Type: "peers", Limit: 500}, request{first: true}); err != nil {
			return err
		}
		if !c.resumes {
			if err := c.ask(ctx, l, packet{Type: "rooms", Limit: 500}, request{}); err != nil {
				return err
			}
		}
	}
	for _, conversation := range slices.Sorted(maps.Keys(c.held)) {
		h := c.held[conversation]
		if h.complete() || h.asked || now.Before(h.again) {
			continue
		}
		h.asked = true
		err := c.ask(ctx, l, packet{Type: "history", ReceiverID: c.receiver(conversation), AfterSeq: &h.whole, Limit: 100},
			request{conversation: conversation, after: h.whole, catchingUp: true})
		if err != nil {
			return err
		}
	}
	return nil
}

// maxInFlight is how many messages of a connection wait for an answer.
const maxInFlight = 8

// send sends the waiting messages, with their refs, in order.
func (c *client) send(ctx context.Context, l *link, now time.Time) error {
	inFlight := 0
	for _, o := range c.outbox {
		if o.conn == l.id {
			inFlight++
			continue
		}
		if now.Before(o.again) || inFlight == maxInFlight || o.kind == "group" && (!l.joined[o.conversation] || l.waits("unsubscribe", o.conversation)) {
			continue
		}
		inFlight++
		o.conn = l.id
		o.attempts++
		c.run.saying(o.content)
		c.run.rec.add(consistency.Event{Kind: consistency.Sent, Conn: l.id, Conversation: o.conversation, Ref: o.ref, Message: consistency.Message{Content: o.content}})
		if err := c.ask(ctx, l, packet{Type: o.kind, ReceiverID: o.receiver, Content: &o.content, Ref: o.ref}, request{conversation: o.conversation}); err != nil {
			return err
		}
	}
	return nil
}

// waiting says what the client still has to do before it is at rest, or "".
func (c *client) waiting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.link
	switch {
	case l == nil:
		return c.name + " is not connected"
	case l.flushes < c.run.flushes.Load():
		return c.name + " is still a user that was lost"
	case !l.ready:
		return fmt.Sprintf("%s at %s has got no answer yet", c.name, l.node.name)
	case len(c.outbox) > 0:
		return fmt.Sprintf("%s at %s waits for an answer to %s", c.name, l.node.name, c.outbox[0].ref)
	case len(l.pending) > 0:
		for _, r := range l.pending {
			return fmt.Sprintf("%s at %s waits for an answer to %s %s", c.name, l.node.name, r.kind, r.conversation)
		}
	}
	for room := range c.leaving {
		return fmt.Sprintf("%s at %s has not left %s", c.name, l.node.name, room)
	}
	for _, room := range c.person.wants() {
		if l.muted[room] {
			continue
		}
		if !l.joined[room] {
			return fmt.Sprintf("%s at %s has not joined %s", c.name, l.node.name, room)
		}
		if c.watching() && l.here[room] == nil {
			return fmt.Sprintf("%s at %s does not know who is in %s", c.name, l.node.name, room)
		}
	}
	for conversation, h := range c.held {
		if !h.complete() {
			return fmt.Sprintf("%s at %s holds %s up to seq %d of %d, epoch %s", c.name, l.node.name, conversation, h.whole, h.want, h.epoch)
		}
	}
	return ""
}
