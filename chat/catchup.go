package chat

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// This file brings a connection to the present after its auth: it enters the rooms of its
// user and, if the client says what it holds, is sent what the client has missed: PROTOCOL.md,
// "Resuming".
//
//	registered: live changes of the conversations that the client holds are kept for it (behind)
//	entered: auth_ok was sent; the node subscribes to the user's rooms
//	page after page, one conversation after the other: what is stored after the client's position
//	a conversation ends with the kept changes that are newer, and then is live
//
// The connection's next operation begins when all of that is done. If the engine cannot be
// read, the connection ends, and the client comes back later.

const (
	// A client that has missed more changes than that in a conversation, or in all of them
	// together, is told to read the history instead.
	maxBehind    = 1000
	maxBehindAll = 5000

	// maxNewTalks is the maximum number of private conversations of which a client is told
	// that they are new.
	maxNewTalks = 1000

	catchUpPage   = 128       // changes that the engine is asked for at a time
	catchUpBytes  = 256 << 10 // maximum size of the messages in an answer, but one always fits
	catchUpBuffer = 256 << 10 // bytes that may wait to be written when the next page is read
	catchUpWait   = 20 * time.Millisecond
)

// catchUp brings one connection to the present.
type catchUp struct {
	hub    *Hub
	c      *Connection
	op     *Operation // the auth
	resume *resumeFields
	behind []*behind // the conversations that the client holds, in its order
	missed int       // changes, in the conversations so far
	talks  bool      // the new private conversations were listed
}

// behind is a conversation of which a client holds a part.
type behind struct {
	c        *Connection
	receiver string
	in       Conversation
	held     position
	valid    bool // held could be read
	at       uint64
	begun    bool // the client's position is one of this history
	until    Tail // what has to be read at least; of a room, from where changes are kept
	room     *room

	// Guarded by shard.mu.
	kept []keptChange // live changes, in order
	lost bool         // some of them are missing
}

type keptChange struct {
	epoch   string
	number  uint64
	message *wsproto.Prepared
}

// isBehind reports whether a connection is among those that are behind.
func isBehind(c *Connection, behind []*behind) bool {
	for _, b := range behind {
		if b.c == c {
			return true
		}
	}
	return false
}

// keep keeps a live change for the connections that are behind in its conversation. Called
// with mu held.
func (s *shard) keep(c Conversation, ch *Change, m *wsproto.Prepared) {
	for _, b := range s.behind[c] {
		if len(b.kept) == maxBehind {
			b.kept, b.lost = nil, true
		}
		if !b.lost {
			b.kept = append(b.kept, keptChange{ch.Epoch, ch.Number, m})
		}
	}
}

// loseKept notes that the history of a conversation is another one, or that changes of it were
// missed. Called with mu held.
func (s *shard) loseKept(c Conversation) {
	for _, b := range s.behind[c] {
		b.kept, b.lost = nil, true
	}
}

func (s *shard) addBehind(b *behind) { s.behind[b.in] = append(s.behind[b.in], b) }

// removeBehind ends the keeping of changes. Called with mu held.
func (s *shard) removeBehind(b *behind) {
	left := slices.DeleteFunc(s.behind[b.in], func(other *behind) bool { return other == b })
	if len(left) == 0 {
		delete(s.behind, b.in)
	} else {
		s.behind[b.in] = left
	}
}

// newCatchUp registers what the client of auth holds of the private conversations of its user:
// from now on, their changes are kept.
func newCatchUp(h *Hub, c *Connection, op *Operation, w *welcome) *catchUp {
	u := &catchUp{hub: h, c: c, op: op, resume: op.auth.resume}
	if u.resume == nil {
		return u
	}
	for _, held := range u.resume.held {
		b := &behind{c: c, receiver: strings.Clone(held.receiver)}
		b.held, b.valid = parsePosition(held.position)
		b.at = b.held.change
		if strings.HasPrefix(b.receiver, userPrefix) {
			b.in = PrivateConversation(w.session.UserID, b.receiver)
			s := h.shard(b.in)
			s.mu.Lock()
			s.addBehind(b)
			s.mu.Unlock()
		} else {
			b.in = RoomConversation(b.receiver)
		}
		u.behind = append(u.behind, b)
	}
	return u
}

// abandon ends the keeping of changes in all conversations.
func (u *catchUp) abandon() {
	for _, b := range u.behind {
		s := u.hub.shard(b.in)
		s.mu.Lock()
		u.release(s, b)
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
	u.hub.subscribeAll(u.c, u.op, rooms, u.enterRoom, func(fail *Failure) {
		switch {
		case fail != nil:
			u.fail(fail)
		case u.resume == nil:
			u.c.finished()
		default:
			u.goOn()
		}
	})
}

// enterRoom makes a connection hear a room: from now on, or from where its client's part ends.
// Called with shard.mu held.
func (u *catchUp) enterRoom(s *shard, r *room) {
	if u.resume == nil {
		u.c.announceRoom(s, r)
		return
	}
	for _, b := range u.behind {
		if b.receiver == r.name {
			b.room, b.until = r, r.tail
			r.count++
			s.addBehind(b)
			return
		}
	}
	s.add(u.c, r)
	u.c.send(u.hub.resumeAnswer("new", r.name, &r.tail))
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

// opCatchUp is one step of a catchUp, in the pool of queries.
var opCatchUp = definition{name: "resume", internal: true, needsConnection: true, pool: poolQueries}

func init() {
	opCatchUp.run = func(ctx context.Context, _ *Hub, _ Actor, op *Operation) { op.catchUp.step(ctx) }
}

// goOn has the next step done, as soon as there is room for its answer.
func (u *catchUp) goOn() {
	wait := u.c.socket.Buffered() > catchUpBuffer && !u.c.ended()
	if !wait {
		fail := u.hub.pools[poolQueries].submit(job{u.c, &Operation{kind: &opCatchUp, catchUp: u, begun: time.Now()}})
		switch fail {
		case nil:
			return
		case failShuttingDown:
			u.fail(fail)
			return
		}
	}
	u.hub.cfg.Clock.AfterFunc(catchUpWait, u.goOn)
}

// fail ends the connection: its client shall come back, because something is missing.
func (u *catchUp) fail(fail *Failure) {
	u.c.failAuth(fail, u.op.ref, wsproto.CloseTryAgainLater)
	u.end()
}

// end lets the connection's next operation begin. Rooms that it has not caught up with are
// among its rooms already.
func (u *catchUp) end() {
	u.abandon()
	u.c.finished()
}

// step sends one answer, and those of conversations that end with it.
func (u *catchUp) step(ctx context.Context) {
	switch {
	case u.c.ended():
		u.end()
		return
	case !u.talks:
		if err := u.listNewTalks(ctx); err != nil {
			u.fail(u.hub.engineFailed(err))
			return
		}
		u.talks = true
	default:
		for over := true; over && len(u.behind) > 0 && u.c.socket.Buffered() <= catchUpBuffer; {
			var err error
			if over, err = u.advance(ctx, u.behind[0]); err != nil {
				u.fail(u.hub.engineFailed(err))
				return
			}
			if over {
				u.behind = u.behind[1:]
			}
		}
	}
	if len(u.behind) == 0 {
		u.c.send(u.hub.resumeAnswer("done", "", nil))
		u.end()
		return
	}
	u.goOn()
}

// listNewTalks tells the client of private conversations that it does not hold, and that have
// messages since it heard something last.
func (u *catchUp) listNewTalks(ctx context.Context) error {
	since, after := int64(0), ""
	if u.resume.since != nil {
		since = *u.resume.since
	}
	known := make(map[string]bool)
	for _, held := range u.resume.held {
		known[held.receiver] = true
	}
	for told := 0; told < maxNewTalks; {
		talks, more, err := u.hub.engine.Directory.Talks(ctx, u.c.person.id, since, after, catchUpPage)
		if err != nil {
			return err
		}
		for _, talk := range talks {
			if after = talk.UserID; known[talk.UserID] {
				continue
			}
			tail, err := u.hub.engine.Log.Tail(ctx, PrivateConversation(u.c.person.id, talk.UserID))
			if err != nil {
				return err
			}
			u.c.send(u.hub.resumeAnswer("new", talk.UserID, &tail))
			told++
		}
		if !more {
			return nil
		}
	}
	return nil
}

// advance sends the next page of a conversation. over says that the conversation is live now.
func (u *catchUp) advance(ctx context.Context, b *behind) (over bool, err error) {
	_, private, _ := b.in.Users()
	switch {
	case b.room == nil && private == "":
		u.c.send(u.hub.resumeAnswer("gone", b.receiver, nil))
		return true, nil
	case !b.begun && b.room == nil:
		if b.until, err = u.hub.engine.Log.Tail(ctx, b.in); err != nil {
			return false, err
		}
	}
	if !b.begun {
		missed := b.until.Change - b.held.change
		if !b.valid || b.held.epoch != b.until.Epoch || b.held.change > b.until.Change || missed > maxBehind || u.missed+int(missed) > maxBehindAll {
			return true, u.reload(b)
		}
		if missed == 0 && (b.until.Change == 0 || b.until.Tag == b.held.tag) {
			return true, u.goLive(b)
		}
		u.missed += int(missed)
	}
	changes, more, err := u.hub.engine.Log.Changes(ctx, b.in, b.at-min(b.at, uint64(b.overlap())), catchUpPage)
	if err != nil {
		return false, err
	}
	if !b.begun && b.held.change > 0 {
		// The client's last change must be one of this history.
		if len(changes) == 0 || changes[0].Number != b.held.change || changes[0].Tag != b.held.tag || changes[0].Epoch != b.held.epoch {
			return true, u.reload(b)
		}
		changes = changes[1:]
	}
	b.begun = true
	page := b.page(changes)
	if page == nil {
		return true, u.reload(b)
	}
	end := b.at >= b.until.Change // what comes after that was kept
	if len(changes) > 0 {
		page = appendBoolField(page, "has_more", !end)
		page = appendIntField(page, "server_ts", u.hub.now())
		u.c.send(append(page, '}'))
	}
	switch {
	case end:
		return true, u.goLive(b)
	case len(changes) == 0 && !more: // the history ends before a change that it had
		return true, u.reload(b)
	}
	return false, nil
}

// overlap is how many changes are read again that the client has: the last one, to compare it.
func (b *behind) overlap() int {
	if b.begun {
		return 0
	}
	return 1
}

// page encodes changes that follow what the client has. It returns nil if they do not follow,
// or cannot be read. Those for which there is no room are left out.
func (b *behind) page(changes []Change) (dst []byte) {
	dst = []byte(`{"type":"resume","status":"missed"`)
	dst = appendStringField(dst, "receiver_id", b.receiver)
	dst = append(dst, `,"messages":[`...)
	for i := range changes {
		ch := &changes[i]
		if ch.Damaged || ch.Epoch != b.held.epoch || ch.Number != b.at+1 {
			return nil
		}
		size := len(dst)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendChange(dst, b.in, ch)
		if len(dst) > catchUpBytes && i > 0 {
			return append(dst[:size], ']')
		}
		b.at = ch.Number
	}
	return append(dst, ']')
}

// goLive sends the kept changes that the client has not got, and lets it hear the conversation.
func (u *catchUp) goLive(b *behind) error {
	s := u.hub.shard(b.in)
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := slices.DeleteFunc(b.kept, func(k keptChange) bool { return k.epoch == b.held.epoch && k.number <= b.at })
	for i, k := range kept {
		if k.epoch != b.held.epoch || k.number != b.at+1+uint64(i) {
			b.lost = true
		}
	}
	if b.lost {
		u.reloadNow(s, b, b.until)
		return nil
	}
	for _, k := range kept {
		u.c.socket.SendPrepared(k.message)
	}
	u.release(s, b)
	return nil
}

// reload tells the client to read a conversation anew, and lets it hear what comes after.
func (u *catchUp) reload(b *behind) error {
	s := u.hub.shard(b.in)
	s.mu.Lock()
	defer s.mu.Unlock()
	u.reloadNow(s, b, b.until)
	return nil
}

// reloadNow is reload with mu held. t is an end of the history that the engine has told.
func (u *catchUp) reloadNow(s *shard, b *behind, t Tail) {
	if b.room != nil {
		t = b.room.tail
	}
	u.c.send(u.hub.resumeAnswer("reload", b.receiver, &t))
	for _, k := range b.kept {
		if k.epoch != t.Epoch || k.number > t.Change {
			u.c.socket.SendPrepared(k.message)
		}
	}
	u.release(s, b)
}

// release lets the connection hear a conversation. Called with mu held.
func (u *catchUp) release(s *shard, b *behind) {
	s.removeBehind(b)
	if b.room != nil {
		s.listen(u.c, b.room)
	}
}
