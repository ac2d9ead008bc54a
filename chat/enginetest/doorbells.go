package enginetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
	"github.com/hawser-ws/hawser/chat/local"
)

// Doorbells makes places where an engine's nodes share only the store, and hear of appends by
// doorbells (package doorbell) that are lost, doubled, delayed and reordered. Reads fail now
// and then. A change may reach the node that appended it before its Result does.
func Doorbells(newPlace func(t *testing.T) Place) func(t *testing.T) Place {
	return func(t *testing.T) Place {
		return &belfry{Place: newPlace(t)}
	}
}

type belfry struct {
	Place
	seed uint64 // 0: any
}

func (b *belfry) Seed(seed uint64) { b.seed = seed }

func (b *belfry) Open(t *testing.T, c chat.Clock) chat.Engine {
	if b.seed == 0 {
		b.seed = rand.Uint64()
		t.Logf("doorbells by seed %d", b.seed)
	}
	e := b.Place.Open(t, c)
	s := &shared{Log: e.Log, inner: e.Broker, random: rand.New(rand.NewPCG(b.seed, 1)), lives: map[chat.Conversation]int{}, inboxes: map[string][]doorbell.Hint{}}
	s.presence = local.NewPresence(s, e.Directory)
	e.Log, e.Broker, e.Presence, e.Directory = s, s, s.presence, directory{e.Directory, s}
	return e
}

// shared is what the nodes of such an engine share: a Log that can forget rooms, and a
// Source. It is their Broker, too.
type shared struct {
	chat.Log
	inner    chat.Broker // the engine's own: nodes hear of memberships and sessions from it
	presence *local.Presence

	mu sync.Mutex
	// Guarded by mu.
	random  *rand.Rand
	lives   map[chat.Conversation]int // how often each room was forgotten
	inboxes map[string][]doorbell.Hint
	nodes   []*outpost
}

// outpost is a node, and the doorbells that have not reached it yet.
type outpost struct {
	*doorbell.Node
	s     *shared
	inner chat.Node

	// Guarded by s.mu.
	late      []chat.Conversation
	connected map[string]int
}

// directory tells the nodes new names.
type directory struct {
	chat.Directory
	s *shared
}

// PutUser implements chat.Directory.
func (d directory) PutUser(ctx context.Context, u chat.User) error {
	err := d.Directory.PutUser(ctx, u)
	if err == nil {
		d.renamed(u)
	}
	return err
}

// ChangeUser implements chat.Directory.
func (d directory) ChangeUser(ctx context.Context, id string, c chat.UserChange) (chat.User, error) {
	u, err := d.Directory.ChangeUser(ctx, id, c)
	if err == nil {
		d.renamed(u)
	}
	return u, err
}

func (d directory) renamed(u chat.User) {
	d.s.presence.Renamed(u)
	for _, o := range d.s.all() {
		d.s.mu.Lock()
		here := o.connected[u.ID] > 0
		d.s.mu.Unlock()
		if here {
			o.Renamed(u)
		}
	}
}

// batch is how many conversations a probe asks for at a time: more than one person has.
const batch = 5

// errByChance is the error of a read that fails at random.
var errByChance = errors.New("enginetest: the read fails by chance")

// chance is true one time in n.
func (s *shared) chance(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n) == 0
}

// Forget loses a room: later messages are stored in another conversation.
func (s *shared) Forget(c chat.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives[c]++
}

// stored is the underlying conversation that a conversation is stored in, and the mark of its
// epochs.
func (s *shared) stored(c chat.Conversation) (chat.Conversation, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.lives[c]; n > 0 {
		mark := fmt.Sprint("~", n)
		return c + chat.Conversation(mark), mark
	}
	return c, ""
}

// Attach implements chat.Broker.
func (s *shared) Attach(r chat.Receiver) chat.Node {
	o := &outpost{s: s, connected: map[string]int{}, inner: s.inner.Attach(notices{r})}
	o.Node = doorbell.Attach(r, source{s}, doorbell.Config{
		Log: slog.New(slog.DiscardHandler), Page: 3, Batch: batch, Readers: 2, ProbeEvery: 2 * time.Millisecond,
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, o)
	return o
}

// Subscribe implements chat.Node. It may take a while to return, as over a network, and
// meanwhile the receiver may already have got changes up to the position that it returns.
func (o *outpost) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	tail, err := o.Node.Subscribe(ctx, c)
	if err != nil || !o.s.chance(2) {
		return tail, err
	}
	time.Sleep(3 * time.Millisecond) // longer than until the next probe
	if o.s.chance(2) {
		if now, err := o.s.Tail(ctx, c); err == nil && now.Epoch == tail.Epoch {
			tail = now
		}
	}
	return tail, nil
}

// Detach implements chat.Node.
func (o *outpost) Detach() {
	o.s.mu.Lock()
	o.s.nodes = slices.DeleteFunc(o.s.nodes, func(other *outpost) bool { return other == o })
	o.s.mu.Unlock()
	o.inner.Detach()
	o.Node.Detach()
}

// notices passes on the calls about memberships and sessions.
type notices struct{ to chat.Receiver }

func (notices) Deliver(chat.Conversation, *chat.Change) {}
func (notices) Lost(chat.Conversation, chat.Tail)       {}
func (notices) Here(string, chat.PresenceEvent)         {}
func (notices) Renamed(chat.User)                       {}

func (n notices) Member(userID, room string, joined bool) { n.to.Member(userID, room, joined) }
func (n notices) Ended(userID, sessionID string, why chat.Ending) {
	n.to.Ended(userID, sessionID, why)
}
func (n notices) Banned(b chat.Ban) { n.to.Banned(b) }

// Connect implements chat.Node.
func (o *outpost) Connect(ctx context.Context, userID string) (chat.User, error) {
	o.s.mu.Lock()
	o.connected[userID]++
	o.s.mu.Unlock()
	o.inner.Connect(ctx, userID) // the next line returns its answer
	u, err := o.s.presence.Connect(ctx, userID)
	return u, errors.Join(err, o.Node.Follow(ctx, userID))
}

// Disconnect implements chat.Node.
func (o *outpost) Disconnect(userID string) {
	o.s.mu.Lock()
	was := o.connected[userID]
	o.connected[userID] = max(was-1, 0)
	o.s.mu.Unlock()
	if was > 0 {
		o.inner.Disconnect(userID)
		o.Node.Unfollow(userID)
		o.s.presence.Disconnect(userID)
	}
}

// Enter implements chat.Node.
func (o *outpost) Enter(room, userID string) { o.s.presence.Enter(room, userID) }

// Leave implements chat.Node.
func (o *outpost) Leave(room, userID string) { o.s.presence.Leave(room, userID) }

// Here implements local.Announcer.
func (s *shared) Here(room string, ev chat.PresenceEvent) {
	for _, o := range s.all() {
		o.Here(room, ev)
	}
}

func (s *shared) all() []*outpost {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.nodes)
}

// ring rings at every node, unreliably.
func (s *shared) ring(c chat.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.nodes {
		switch s.random.IntN(4) {
		case 0: // lost
		case 1:
			o.late = append(o.late, c)
		case 2:
			o.Ring(c)
			fallthrough
		default:
			o.Ring(c)
		}
		if n := len(o.late); n > 0 && s.random.IntN(2) == 0 {
			i := s.random.IntN(n)
			o.Ring(o.late[i])
			o.late = slices.Delete(o.late, i, i+1)
		}
	}
}

// Append implements chat.Log, in the steps that package doorbell asks for.
func (s *shared) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	stored := make([]chat.Entry, len(entries))
	marks := make([]string, len(entries))
	for i, e := range entries {
		stored[i].Message = e.Message
		stored[i].Conversation, marks[i] = s.stored(e.Conversation)
		s.hint(ctx, e.Conversation)
	}
	s.Log.Append(ctx, stored, func(i int, r chat.Result) {
		if r.Err != nil {
			done(i, r)
			return
		}
		r.Change.Epoch += marks[i]
		s.ring(entries[i].Conversation)
		if s.chance(3) {
			time.Sleep(50 * time.Microsecond) // nodes may have read it by then
		}
		done(i, r)
	})
}

// hint points the nodes of two people to their conversation.
func (s *shared) hint(ctx context.Context, c chat.Conversation) {
	one, other, private := c.Users()
	if !private {
		return
	}
	tail, err := s.Log.Tail(ctx, c)
	if err != nil {
		return // then the append fails, too
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, user := range slices.Compact([]string{one, other}) {
		hints := s.inboxes[user]
		s.inboxes[user] = append(hints, doorbell.Hint{Number: uint64(len(hints) + 1), Before: uint64(len(hints)), Conversation: c, Tail: tail})
	}
}

// Tail implements chat.Log.
func (s *shared) Tail(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	c, mark := s.stored(c)
	tail, err := s.Log.Tail(ctx, c)
	tail.Epoch += mark
	return tail, err
}

// Changes implements chat.Log.
func (s *shared) Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) ([]chat.Change, bool, error) {
	c, mark := s.stored(c)
	changes, more, err := s.Log.Changes(ctx, c, after, limit)
	for i := range changes {
		changes[i].Epoch += mark
	}
	return changes, more, err
}

// History implements chat.Log.
func (s *shared) History(ctx context.Context, q chat.HistoryQuery) (chat.Page, error) {
	var mark string
	q.Conversation, mark = s.stored(q.Conversation)
	page, err := s.Log.History(ctx, q)
	page.Epoch += mark
	return page, err
}

// Locate implements chat.Log.
func (s *shared) Locate(ctx context.Context, c chat.Conversation, id string) (uint64, error) {
	c, _ = s.stored(c)
	return s.Log.Locate(ctx, c, id)
}

// source is the Source of the nodes.
type source struct{ *shared }

// Changes implements doorbell.Source.
func (s source) Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) ([]chat.Change, bool, error) {
	if s.chance(10) {
		return nil, false, errByChance
	}
	return s.shared.Changes(ctx, c, after, limit)
}

// Tails implements doorbell.Source.
func (s source) Tails(ctx context.Context, cs []chat.Conversation, each func(int, chat.Tail, error)) {
	for i, c := range cs {
		tail, err := s.Tail(ctx, c)
		if len(cs) >= batch && s.chance(10) { // for fewer, a client may be waiting for the answer
			err = errByChance
		}
		each(i, tail, err)
	}
}

// Later implements doorbell.Source.
func (source) Later(epoch, other string) bool { return life(epoch) > life(other) }

// life is the number of the conversation's life that an epoch marks, from 1; 0 for no epoch.
func life(epoch string) int {
	_, mark, lost := strings.Cut(epoch, "~")
	if !lost {
		return min(1, len(epoch))
	}
	n, _ := strconv.Atoi(mark)
	return 1 + n
}

// Check implements doorbell.Source. Here data are only ever lost together with their epoch.
func (s source) Check(ctx context.Context, c chat.Conversation, _ chat.Tail) (chat.Tail, error) {
	return s.Tail(ctx, c)
}

// Hints implements doorbell.Source.
func (s source) Hints(ctx context.Context, userID string, after uint64, limit int) ([]doorbell.Hint, bool, error) {
	if s.chance(10) {
		return nil, false, errByChance
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	hints := s.inboxes[userID][after:]
	more := len(hints) > limit
	return slices.Clone(hints[:min(limit, len(hints))]), more, ctx.Err()
}

// Recent implements doorbell.Source.
func (s source) Recent(ctx context.Context, userID string) (hints []doorbell.Hint, last uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hints = slices.Clone(s.inboxes[userID])
	return hints, uint64(len(hints)), ctx.Err()
}

// LastHints implements doorbell.Source.
func (s source) LastHints(ctx context.Context, userIDs []string, each func(int, uint64, error)) {
	for i, id := range userIDs {
		if s.chance(10) {
			each(i, 0, errByChance)
			continue
		}
		s.mu.Lock()
		last := len(s.inboxes[id])
		s.mu.Unlock()
		each(i, uint64(last), ctx.Err())
	}
}
