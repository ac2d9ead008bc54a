//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// retryTime is how long a client waits before it tries again what was refused.
const retryTime = 300 * time.Millisecond

// client is one device of a user. This file owns its connections: it connects to any node,
// joins its rooms, reads what it missed, and sends again what was not acknowledged. What it
// holds is in holding_test.go, what it says of its own accord in workload_test.go.
type client struct {
	name     string
	run      *run
	person   *person
	features []string

	mu sync.Mutex
	// Guarded by mu.
	rng    *rand.Rand
	token  string // with which it connected last
	rooms  map[string]bool
	held   map[string]*holding
	outbox []*outgoing // what has not been answered for good
	link   *link       // nil while it is not connected
	epoch  string      // of the last auth_ok
	next   int         // number of the next ref
	acting time.Time   // when it does something next
}

// person is a user, who may have several clients.
type person struct {
	name string

	mu      sync.Mutex
	account account // Guarded by mu.
}

func (p *person) get() account {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.account
}

// renew makes the person another user, unless somebody else has done it: after a loss of
// everything there is no user with the old token.
func (p *person) renew(ctx context.Context, n *node, old string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.account.Token != old {
		return nil
	}
	a, err := n.guest(ctx, p.name)
	if err == nil {
		p.account = a
	}
	return err
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
		for _, r := range l.pending {
			if r.kind == "leave" { // it ended with the connection
				c.left(l, r.conversation)
			}
		}
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
	c.mu.Lock()
	n := c.run.nodes[c.rng.IntN(len(c.run.nodes))]
	c.mu.Unlock()
	a := c.person.get()
	l, err := dial(ctx, n, a.Token, c.features)
	if refused, ok := errors.AsType[*refusedError](err); ok && refused.Reason == "token_refused" && c.run.forgets {
		return nil, errors.Join(err, c.person.renew(ctx, n, a.Token))
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Token != c.token { // another user, who knows nothing
		c.token, c.held, c.outbox = a.Token, map[string]*holding{}, nil
	}
	if l.ok.Epoch != c.epoch { // what was said in private is of the epoch of all data
		maps.DeleteFunc(c.held, func(conversation string, _ *holding) bool { return strings.Contains(conversation, "|") })
		c.epoch = l.ok.Epoch
	}
	for _, h := range c.held {
		h.asked = false
	}
	l.id = c.run.rec.connection()
	c.run.rec.add(consistency.Event{Kind: consistency.Connected, Conn: l.id, Client: c.name, User: l.ok.UserID, Node: n.name})
	c.link = l
	return l, nil
}

// serve drives a connection until it ends, and returns why.
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

// step does what is due. It returns why the connection is to end, or "".
func (c *client) step(ctx context.Context, l *link, now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.beat.IsZero() && now.Sub(l.beat) > beatTime {
		return "no answer to a heartbeat"
	}
	var err error
	if l.beat.IsZero() && now.Sub(l.beaten) > beatEvery {
		l.beat, l.beaten = now, now
		err = l.write(ctx, packet{Type: "heartbeat"})
	}
	for _, due := range []func(context.Context, *link, time.Time) error{c.join, c.watch, c.catchUp, c.send} {
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

// join joins the rooms that the client should be in.
func (c *client) join(ctx context.Context, l *link, _ time.Time) error {
	for _, room := range slices.Sorted(maps.Keys(c.rooms)) {
		if l.joined[room] || l.waits("join", room) || l.waits("leave", room) {
			continue
		}
		if err := c.ask(ctx, l, packet{Type: "join", ReceiverID: room}, request{conversation: room}); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) waits(kind, conversation string) bool {
	for _, r := range l.pending {
		if r.kind == kind && r.conversation == conversation {
			return true
		}
	}
	return false
}

// catchUp asks for what is missing.
func (c *client) catchUp(ctx context.Context, l *link, now time.Time) error {
	if l.asked.IsZero() {
		l.asked = now
		if err := c.ask(ctx, l, packet{Type: "peers", Limit: 500}, request{}); err != nil {
			return err
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

// receiver names a conversation to the server.
func (c *client) receiver(conversation string) string {
	a, b, private := strings.Cut(conversation, "|")
	if private && a == c.link.ok.UserID {
		return b
	}
	return a
}

// maxInFlight is how many messages of a connection wait for an answer.
const maxInFlight = 8

// send sends what waits, with its ref, in order.
func (c *client) send(ctx context.Context, l *link, now time.Time) error {
	inFlight := 0
	for _, o := range c.outbox {
		if o.conn == l.id {
			inFlight++
			continue
		}
		if now.Before(o.again) || inFlight == maxInFlight || o.kind == "group" && !l.joined[o.conversation] && c.rooms[o.conversation] {
			continue
		}
		inFlight++
		o.conn = l.id
		o.attempts++
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
	case len(c.outbox) > 0:
		return fmt.Sprintf("%s at %s waits for an answer to %s", c.name, l.node.name, c.outbox[0].ref)
	case len(l.pending) > 0:
		for _, r := range l.pending {
			return fmt.Sprintf("%s at %s waits for an answer to %s %s", c.name, l.node.name, r.kind, r.conversation)
		}
	}
	for room := range c.rooms {
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
