package chat

import (
	"context"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// This file brings a connection to the present after its auth: it enters the rooms of its
// user and, if the client says what it holds, is sent what the client has missed: PROTOCOL.md,
// "Resuming".
//
//	1 live changes of the private conversations that the client holds are kept for it (behind.go)
//	2 auth_ok is sent
//	3 the node subscribes to the user's rooms; changes of those that the client holds are kept
//	4 new conversations are listed
//	5 of one conversation after the other, what is stored after the client's position is sent,
//	  page after page, and then the kept changes that are newer: from then on it is live
//
// The connection's next operation begins when all of that is done. If the engine cannot be
// read, the connection ends, and the client comes back later.

const (
	catchUpReads  = 64        // times that the engine is asked in a step
	loginReads    = 4         // the same in a step that is part of the log-in
	catchUpBytes  = 256 << 10 // maximum size of the messages in an answer, but one always fits
	catchUpBuffer = 256 << 10 // bytes that may wait to be written when the next page is read

	catchUpWait    = 20 * time.Millisecond // the first time; then twice that, and so on
	catchUpMaxWait = time.Second
)

// catchUp brings one connection to the present.
type catchUp struct {
	hub    *Hub
	c      *Connection
	op     *Operation // the auth
	resume *resumeFields
	behind []*behind // the conversations that the client holds, in its order, without those that are done; nil for a room until it is entered
	missed int       // changes, in the conversations so far
	talks  *talkList // nil when the new private conversations were listed
	wait   time.Duration

	// Of the current step.
	sent  int // bytes
	reads int // times that the engine may still be asked
}

// newCatchUp registers what the client of auth holds of the private conversations of its user:
// from now on, their changes are kept.
func newCatchUp(h *Hub, c *Connection, op *Operation, w *welcome) *catchUp {
	u := &catchUp{hub: h, c: c, op: op, resume: op.auth.resume}
	if u.resume == nil {
		return u
	}
	u.talks = newTalkList(w.session.UserID, u.resume)
	c.listing = u.talks // nobody knows the connection yet
	u.behind = make([]*behind, len(u.resume.held))
	for i := range u.resume.held {
		held := &u.resume.held[i]
		if !strings.HasPrefix(held.receiver, userPrefix) {
			continue // enterRoom, or begin
		}
		b := newBehind(c, held, PrivateConversation(w.session.UserID, held.receiver))
		s := h.shard(b.in)
		s.mu.Lock()
		s.register(b)
		s.mu.Unlock()
		u.behind[i] = b
	}
	return u
}

// abandon gives up: the connection hears nothing more of the conversations that it has not
// caught up with.
func (u *catchUp) abandon() {
	for _, b := range u.behind {
		if b == nil {
			continue
		}
		s := u.hub.shard(b.in)
		s.mu.Lock()
		if b.room == nil {
			s.unregister(b)
		} else {
			b.ahead, b.at, b.kept = true, never, nil // until the connection leaves the room
		}
		s.mu.Unlock()
	}
	u.behind = nil
}

// begin subscribes the connection to the rooms of its user, and then catches up.
func (u *catchUp) begin(ctx context.Context) {
	rooms, err := u.hub.roomsOf(ctx, u.c.person.id)
	if err != nil {
		u.fail(u.hub.engineFailed(err))
		return
	}
	u.op.begun = time.Now() // what auth has waited for is not the rooms' fault
	u.hub.subscribeAll(u.c, u.op, rooms, u.enterRoom, func(fail *Failure, atOnce bool) {
		u.entered()
		switch {
		case fail != nil && u.resume != nil:
			u.fail(fail)
		case u.resume != nil:
			u.c.mu.Lock()
			u.c.catching = u
			u.c.mu.Unlock()
			if atOnce && len(u.behind) == 0 {
				u.first()
			} else {
				u.goOn()
			}
		default:
			if fail != nil {
				u.c.retryMembership("")
			}
			u.c.finished()
		}
	})
}

// enterRoom makes a connection hear a room: from now on, or from where its client's part ends.
// Called with shard.mu held, for several rooms at once.
func (u *catchUp) enterRoom(s *shard, r *room) {
	if u.resume == nil {
		u.c.announceRoom(s, r)
		return
	}
	for i := range u.resume.held {
		held := &u.resume.held[i]
		if held.receiver != r.name {
			continue
		}
		if p, ok := parsePosition(held.position); ok && p.isEnd(&r.tail) {
			held.live = true
			s.add(u.c, r)
			return
		}
		b := newBehind(u.c, held, RoomConversation(r.name))
		b.room, b.until = r, r.tail
		s.watch(u.c, r)
		s.register(b)
		u.behind[i] = b
		return
	}
	s.add(u.c, r)
	u.c.send(u.hub.resumeAnswer("new", r.name, &r.tail))
}

// entered leaves what the client must be told of: where it missed something, and the rooms of
// which the user is no longer a member.
func (u *catchUp) entered() {
	left := u.behind[:0]
	for i, b := range u.behind {
		held := &u.resume.held[i]
		if b == nil && !held.live {
			b = newBehind(u.c, held, RoomConversation(held.receiver))
		}
		if b != nil {
			left = append(left, b)
		}
	}
	clear(u.behind[len(left):])
	u.behind = left
}

// resumeAnswer tells where a conversation stands. Without a tail, only its name and the status.
func (h *Hub) resumeAnswer(status, receiver string, t *Tail) []byte {
	dst := []byte(`{"type":"resume"`)
	dst = appendStringField(dst, "status", status)
	if receiver != "" {
		dst = appendStringField(dst, "receiver_id", receiver)
	}
	if t != nil {
		dst = appendIntField(dst, "seq", int64(t.Seq))
		dst = appendStringField(dst, "epoch", t.Epoch)
		dst = appendPositionField(dst, t.position())
	}
	dst = appendIntField(dst, "server_ts", h.now())
	return append(dst, '}')
}

func (u *catchUp) send(p []byte) {
	u.sent += len(p)
	u.c.send(p)
}

// opCatchUp is one step of a catchUp, in a pool of its own.
var opCatchUp = definition{name: "resume", internal: true, needsConnection: true, pool: poolResumes}

func init() {
	opCatchUp.run = func(ctx context.Context, _ *Hub, _ Actor, op *Operation) { op.catchUp.step(ctx, catchUpReads) }
}

// goOn has the next step done, when most of what was sent is written.
func (u *catchUp) goOn() {
	if u.sent == 0 {
		u.submit()
		return
	}
	u.c.socket.Flushed(func(buffered int) {
		if buffered > catchUpBuffer {
			u.later()
			return
		}
		u.sent = 0
		u.submit()
	})
}

func (u *catchUp) submit() {
	waited := u.wait
	u.wait = 0 // once it is submitted, the step may be running
	u.c.mu.Lock()
	if u.hub.frozen.Load() {
		u.c.parked = true
		u.c.mu.Unlock()
		return
	}
	fail := u.hub.pools[poolResumes].submit(job{u.c, &Operation{kind: &opCatchUp, catchUp: u, begun: time.Now()}})
	u.c.mu.Unlock()
	switch fail {
	case nil:
	case failShuttingDown:
		u.fail(fail)
	default:
		u.wait = waited
		u.later()
	}
}

func (u *catchUp) later() {
	u.wait = min(max(2*u.wait, catchUpWait), catchUpMaxWait)
	u.hub.clock.AfterFunc(u.wait, u.goOn)
}

// fail ends the connection, at once: its client shall come back, because something is missing.
func (u *catchUp) fail(fail *Failure) {
	code := wsproto.CloseTryAgainLater
	if fail == failShuttingDown {
		code = wsproto.CloseGoingAway
	}
	u.c.failAuth(fail, u.op.ref, code)
	u.c.cut()
	u.end()
}

// end lets the connection's next operation begin.
func (u *catchUp) end() {
	u.abandon()
	u.c.mu.Lock()
	u.c.catching = nil
	u.c.mu.Unlock()
	u.c.finished()
}

// first does the first step of a client that has missed nothing in its rooms, in the pool of
// log-ins. Usually it is the last one, too. It asks the engine little, because further log-ins
// wait for it.
func (u *catchUp) first() {
	ctx := limitedUntil(time.Now().Add(u.hub.cfg.OperationTimeout))
	defer ctx.end()
	u.step(ctx, loginReads)
}

// step sends a part of what was missed, and asks the engine for it a number of times at most.
func (u *catchUp) step(ctx context.Context, reads int) {
	u.reads = reads
	if err := u.advance(ctx); err != nil {
		u.fail(u.hub.engineFailed(err))
		return
	}
	switch {
	case u.c.ended():
		u.end()
	case u.talks == nil && len(u.behind) == 0:
		u.c.send(u.hub.resumeAnswer("done", "", nil))
		u.end()
	default:
		u.goOn()
	}
}

// advance sends what there is, until it has read or sent enough.
func (u *catchUp) advance(ctx context.Context) error {
	for u.reads > 0 && u.sent < catchUpBuffer && !u.c.ended() {
		switch {
		case u.talks != nil:
			if err := u.listNewTalks(ctx); err != nil {
				return err
			}
		case len(u.behind) > 0:
			over, err := u.read(ctx, u.behind[0])
			if err != nil {
				return err
			}
			if over {
				u.behind = u.behind[1:]
			}
		default:
			return nil
		}
	}
	return nil
}

func (u *catchUp) tail(ctx context.Context, c Conversation) (Tail, error) {
	u.reads--
	return u.hub.engine.Log.Tail(ctx, c)
}
