package memory

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	randv2 "math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/local"
)

// Engine holds everything in memory. It is a chat.Log, a chat.Directory and a
// chat.Health; Parts has the others.
type Engine struct {
	time     *chat.ServerTime
	broker   *local.Broker
	members  *local.Members
	sessions *local.Sessions
	bans     *local.Bans

	appending sync.Mutex // held from numbering changes, or storing a user, until every node was told

	epoch string // Immutable.

	mu sync.RWMutex
	// Guarded by mu.
	convs map[chat.Conversation]*conversation
	users map[string]chat.User
}

// conversation is the content of one conversation.
type conversation struct {
	number int // for ids
	epoch  string
	said   []chat.Stored
	tags   []uint32 // of said
}

// New returns an empty engine. A nil clock means the system's, a nil log the default logger.
func New(clock chat.Clock, log *slog.Logger) *Engine {
	if clock == nil {
		clock = chat.SystemClock()
	}
	if log == nil {
		log = slog.Default()
	}
	e := &Engine{
		time:  chat.NewServerTime(clock, 0, log),
		epoch: newEpoch(),
		convs: make(map[chat.Conversation]*conversation),
		users: make(map[string]chat.User),
	}
	e.broker = local.NewBroker(e, e)
	e.members = local.NewMembers(e.broker.Member, e.mayJoin, e.time.Now)
	e.sessions = local.NewSessions(local.SessionsConfig{Clock: clock, Now: e.time.Now, Ended: e.broker.Ended, Last: e.lastEnded}, nil)
	e.bans = local.NewBans(local.BansConfig{Now: e.time.Now, Banned: e.broker.Banned, Sessions: e.sessions}, nil)
	return e
}

// Parts returns the engine in the form that a hub takes. Several hubs may use it at once.
func (e *Engine) Parts() chat.Engine {
	return chat.Engine{
		Log: e, Directory: e, Members: e.members, Broker: e.broker, Presence: e.broker.Presence(),
		Sessions: e.sessions, Bans: e.bans, Health: e,
	}
}

func newEpoch() string { return strings.ToLower(rand.Text()[:13]) }

// Forget drops a conversation, which simulates an engine whose data were restored from an old
// backup: the conversation begins again in another epoch, and subscribers are told.
func (e *Engine) Forget(c chat.Conversation) {
	e.appending.Lock()
	defer e.appending.Unlock()
	e.mu.Lock()
	conv := e.convs[c]
	if conv == nil {
		e.mu.Unlock()
		return
	}
	conv.epoch, conv.said, conv.tags = newEpoch(), nil, nil
	now := conv.tail()
	e.mu.Unlock()
	e.broker.Lost(c, now)
}

// Append implements chat.Log.
func (e *Engine) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	e.appending.Lock()
	defer e.appending.Unlock()
	for i := range entries {
		if err := ctx.Err(); err != nil {
			done(i, chat.Result{Err: err})
			continue
		}
		r := e.store(&entries[i])
		done(i, r)
		if !r.Duplicate {
			e.broker.Publish(entries[i].Conversation, &r.Change)
		}
	}
}

func (e *Engine) store(entry *chat.Entry) chat.Result {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.convs[entry.Conversation]
	if c == nil {
		c = &conversation{number: len(e.convs) + 1, epoch: e.epoch}
		e.convs[entry.Conversation] = c
	}
	m := *entry.Message
	m.ServerTS = e.time.Now()
	if m.Ref != "" {
		for i := len(c.said) - 1; i >= 0; i-- {
			old := &c.said[i]
			if old.Ref == m.Ref && old.Sender == m.Sender && m.ServerTS-old.ServerTS < chat.RefLifetime.Milliseconds() {
				return chat.Result{Change: c.change(i), Duplicate: true}
			}
		}
	}
	m.Metadata = slices.Clone(m.Metadata)
	seq := uint64(len(c.said) + 1)
	c.said = append(c.said, chat.Stored{Message: m, Seq: seq, ID: chat.MessageID(c.epoch, uint64(c.number), seq)})
	c.tags = append(c.tags, randv2.Uint32())
	return chat.Result{Change: c.change(len(c.said) - 1)}
}

// change returns message i as a Change.
func (c *conversation) change(i int) chat.Change {
	s := &c.said[i]
	m := s.Message
	m.Ref = ""
	return chat.Change{Number: s.Seq, Tag: c.tags[i], Epoch: c.epoch, Seq: s.Seq, ID: s.ID, ServerTS: s.ServerTS, Message: &m}
}

// look calls f with a conversation, which is empty if it does not exist.
func (e *Engine) look(ctx context.Context, name chat.Conversation, f func(c *conversation)) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	c := e.convs[name]
	if c == nil {
		c = &conversation{epoch: e.epoch}
	}
	f(c)
	return ctx.Err()
}

// Now implements chat.Log.
func (e *Engine) Now() int64 { return e.time.Now() }

// Epoch implements chat.Log.
func (e *Engine) Epoch(ctx context.Context) (string, error) { return e.epoch, ctx.Err() }

// Tail implements chat.Log.
func (e *Engine) Tail(ctx context.Context, name chat.Conversation) (tail chat.Tail, err error) {
	err = e.look(ctx, name, func(c *conversation) { tail = c.tail() })
	return tail, err
}

func (c *conversation) tail() chat.Tail {
	t := chat.Tail{Epoch: c.epoch, Seq: uint64(len(c.said)), Change: uint64(len(c.said))}
	if t.Seq > 0 {
		t.ServerTS, t.Tag = c.said[t.Seq-1].ServerTS, c.tags[t.Seq-1]
	}
	return t
}

// Changes implements chat.Log.
func (e *Engine) Changes(ctx context.Context, name chat.Conversation, after uint64, limit int) (changes []chat.Change, more bool, err error) {
	err = e.look(ctx, name, func(c *conversation) {
		for i := after; i < uint64(len(c.said)); i++ {
			if more = len(changes) == limit; more {
				return
			}
			changes = append(changes, c.change(int(i)))
		}
	})
	return changes, more, err
}

// Locate implements chat.Log.
func (e *Engine) Locate(ctx context.Context, name chat.Conversation, id string) (seq uint64, err error) {
	missing := e.look(ctx, name, func(c *conversation) {
		for i := range c.said {
			if c.said[i].ID == id {
				seq = c.said[i].Seq
			}
		}
	})
	if missing == nil && seq == 0 {
		missing = chat.ErrNotFound
	}
	return seq, missing
}

// History implements chat.Log.
func (e *Engine) History(ctx context.Context, q chat.HistoryQuery) (page chat.Page, err error) {
	err = e.look(ctx, q.Conversation, func(c *conversation) {
		page.Epoch, page.First = c.epoch, 1
		for _, s := range c.said {
			if s.Seq > q.AfterSeq && (q.BeforeSeq == 0 || s.Seq < q.BeforeSeq) && s.ServerTS >= q.Since && (q.Until == 0 || s.ServerTS < q.Until) {
				s.Ref = ""
				s.Metadata = slices.Clone(s.Metadata)
				page.Messages = append(page.Messages, s)
			}
		}
	})
	if surplus := len(page.Messages) - q.Limit; surplus > 0 {
		page.More = true
		if q.Newest {
			page.Messages = page.Messages[surplus:]
		}
		page.Messages = page.Messages[:q.Limit]
	}
	return page, err
}

// PutUser implements chat.Directory.
func (e *Engine) PutUser(ctx context.Context, u chat.User) error {
	_, err := e.putUser(ctx, u.ID, func(before chat.User, _ bool) (chat.User, error) {
		u.ValidFrom = max(u.ValidFrom, before.ValidFrom)
		return u, nil
	})
	return err
}

// ChangeUser implements chat.Directory.
func (e *Engine) ChangeUser(ctx context.Context, id string, c chat.UserChange) (chat.User, error) {
	return e.putUser(ctx, id, func(u chat.User, known bool) (chat.User, error) {
		if !known {
			return u, chat.ErrNotFound
		}
		c.Apply(&u)
		return u, nil
	})
}

// putUser stores next's result for a user, and tells the nodes.
func (e *Engine) putUser(ctx context.Context, id string, next func(before chat.User, known bool) (chat.User, error)) (chat.User, error) {
	e.appending.Lock()
	defer e.appending.Unlock()
	u, err := e.storeUser(ctx, id, next)
	if err == nil {
		e.broker.Renamed(u)
	}
	return u, err
}

func (e *Engine) storeUser(ctx context.Context, id string, next func(before chat.User, known bool) (chat.User, error)) (chat.User, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return chat.User{}, err
	}
	before, known := e.users[id]
	u, err := next(before, known)
	if err != nil {
		return chat.User{}, err
	}
	if !known || before.Name != u.Name {
		for _, other := range e.users {
			if other.ID != u.ID && other.Name != u.Name && chat.LookOf(other.Name) == chat.LookOf(u.Name) {
				return chat.User{}, chat.ErrNameTaken
			}
		}
	}
	e.users[u.ID] = u
	return u, nil
}

// User implements chat.Directory.
func (e *Engine) User(ctx context.Context, id string) (chat.User, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	u, ok := e.users[id]
	if !ok {
		return u, chat.ErrNotFound
	}
	return u, ctx.Err()
}

// DeleteUser implements chat.Directory.
func (e *Engine) DeleteUser(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.appending.Lock() // no node is told of a new name after that
	e.mu.Lock()
	delete(e.users, id)
	e.mu.Unlock()
	e.broker.Presence().Forget(id)
	e.appending.Unlock()
	e.members.LeaveAll(id)
	_, err := e.sessions.End(ctx, id, "", chat.UserDeleted)
	return err
}

// mayJoin returns an error if a user cannot be a member of any room.
func (e *Engine) mayJoin(ctx context.Context, userID string) error {
	u, err := e.User(ctx, userID)
	if err == nil && u.Guest && !e.sessions.Any(userID) {
		err = chat.ErrNotFound
	}
	return err
}

// lastEnded ends the memberships of a guest without a session.
func (e *Engine) lastEnded(userID string) {
	e.mu.RLock()
	guest := e.users[userID].Guest
	e.mu.RUnlock()
	if guest {
		e.members.LeaveAll(userID)
	}
}

// Rooms implements chat.Directory.
func (e *Engine) Rooms(ctx context.Context, after chat.RoomPlace, search string, limit int) (rooms []chat.RoomInfo, next chat.RoomPlace, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for name, c := range e.convs {
		room, ok := name.Room()
		t := c.tail()
		if ok && t.Seq > 0 && chat.MatchesSearch(room, search) &&
			(after == chat.RoomPlace{} || t.ServerTS < after.ServerTS || t.ServerTS == after.ServerTS && room > after.Name) {
			rooms = append(rooms, chat.RoomInfo{Name: room, Seq: t.Seq, ServerTS: t.ServerTS})
		}
	}
	slices.SortFunc(rooms, func(a, b chat.RoomInfo) int {
		return cmp.Or(cmp.Compare(b.ServerTS, a.ServerTS), cmp.Compare(a.Name, b.Name))
	})
	if len(rooms) > limit {
		rooms = rooms[:limit]
		next = chat.RoomPlace{ServerTS: rooms[limit-1].ServerTS, Name: rooms[limit-1].Name}
	}
	return rooms, next, ctx.Err()
}

// Talks implements chat.Directory.
func (e *Engine) Talks(ctx context.Context, user string, since int64, after string, limit int) (talks []chat.Talk, more bool, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for name, c := range e.convs {
		if a, b, ok := name.Users(); ok && (a == user || b == user) && name.Receiver(user) > after {
			if t := c.tail(); t.ServerTS >= since {
				talks = append(talks, chat.Talk{UserID: name.Receiver(user), Seq: t.Seq, ServerTS: t.ServerTS})
			}
		}
	}
	slices.SortFunc(talks, func(a, b chat.Talk) int { return cmp.Compare(a.UserID, b.UserID) })
	return talks[:min(limit, len(talks))], len(talks) > limit, ctx.Err()
}

// Healthy implements chat.Health.
func (e *Engine) Healthy() error { return nil }

// Close implements chat.Health.
func (e *Engine) Close(context.Context) error {
	e.sessions.Close()
	return nil
}
