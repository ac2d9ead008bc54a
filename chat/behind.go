package chat

import (
	"math"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/wsproto"
)

// behind is a conversation of which a client has a part that ends elsewhere than what this
// node has delivered. The connection does not hear the conversation as the others do:
//
//	(entering a room)  the client has all of it: it hears the room at once, without a behind
//	keeping --goLive, reload--> (live)  live changes are kept until the client has what is before them
//	        --the client has more than this node has delivered--> ahead
//	ahead   --a change after that, or another history--> (live)
//
// It is registered with its shard until the connection hears the conversation as all others do.
type behind struct {
	// Immutable.
	c        *Connection
	receiver string
	in       Conversation
	held     position // the client's
	valid    bool     // held could be read

	// Of the catchUp; guarded by shard.mu when ahead.
	epoch  string
	at     uint64 // the client has everything up to here
	last   Tail   // the same, where it is ahead
	room   *room  // nil: a private conversation, or a room that the connection is not in
	begun  bool   // held was found in the history
	stale  bool   // until must be read again
	missed int    // changes until then that catchUp.missed does not count yet
	until  Tail   // what has to be read at least; of a room, from where changes are kept

	// Guarded by shard.mu.
	index int // in shard.behind; -1: not registered
	ahead bool
	kept  []keptChange // live changes, in order
	bytes int          // of kept
	cut   bool         // there were too many: those after until are to be read
	lost  bool         // the history is another one, or changes were missed
}

type keptChange struct {
	epoch   string
	number  uint64
	message *wsproto.Prepared
}

// newBehind makes a behind of what a client holds. It is not registered.
func newBehind(c *Connection, held *heldPosition, in Conversation) *behind {
	b := &behind{c: c, receiver: strings.Clone(held.receiver), in: in, index: -1} // it may last longer than the message
	b.held, b.valid = parsePosition(strings.Clone(held.position))
	b.epoch, b.at = b.held.epoch, b.held.change
	return b
}

// holds reports whether the client has everything up to the end of the conversation.
func (b *behind) holds(end *Tail) bool {
	return b.valid && position{b.epoch, b.at, b.held.tag}.isEnd(end)
}

// maxKeptBytes bounds what is kept of a conversation for one connection.
const maxKeptBytes = 256 << 10

// never is a place that no change comes after: the connection is sent nothing more.
const never = math.MaxUint64

// register has a conversation's changes kept from now on. Called with mu held.
func (s *shard) register(b *behind) {
	b.index = len(s.behind[b.in])
	s.behind[b.in] = append(s.behind[b.in], b)
}

// unregister ends that. Called with mu held.
func (s *shard) unregister(b *behind) {
	if b.index < 0 {
		return
	}
	all := s.behind[b.in]
	last := len(all) - 1
	all[b.index] = all[last]
	all[b.index].index = b.index
	all[last] = nil
	if b.index = -1; last == 0 {
		delete(s.behind, b.in)
	} else {
		s.behind[b.in] = all[:last]
	}
}

// release lets a connection hear a conversation as all others do. Called with mu held.
func (s *shard) release(b *behind) {
	s.unregister(b)
	b.kept = nil
	if b.room != nil {
		b.room.members.Join(b.c.socket)
	}
}

// before is called before a change is sent to those who hear its conversation: it keeps the
// change for those who are behind, and adds those for whom it is the first one. Called with
// mu held.
func (s *shard) before(c Conversation, ch *Change, m *wsproto.Prepared) {
	for _, b := range slices.Backward(s.behind[c]) {
		switch {
		case !b.ahead:
			b.keep(ch, m)
		case b.at != never && (ch.Epoch != b.epoch || ch.Number > b.at):
			s.release(b)
		}
	}
}

// after is called after that: it adds those who have the change, and nothing after it.
func (s *shard) after(c Conversation, ch *Change) {
	for _, b := range slices.Backward(s.behind[c]) {
		if b.ahead && ch.Epoch == b.epoch && ch.Number == b.at {
			s.release(b)
		}
	}
}

func (b *behind) keep(ch *Change, m *wsproto.Prepared) {
	if b.lost || b.cut {
		return
	}
	b.kept = append(b.kept, keptChange{ch.Epoch, ch.Number, m})
	if b.bytes += len(m.Payload()); b.bytes > maxKeptBytes || len(b.kept) > b.c.hub.cfg.Pages.Resume {
		b.kept, b.bytes, b.cut = nil, 0, true
	}
}

// lose notes that the history of a conversation is another one, or that changes were missed.
// Called with mu held.
func (s *shard) lose(c Conversation) {
	for _, b := range slices.Backward(s.behind[c]) {
		switch {
		case !b.ahead:
			b.kept, b.bytes, b.lost = nil, 0, true
		case b.at != never:
			s.release(b)
		}
	}
}

// heardBy is how far a connection has heard a room that it is in. Called with mu held.
func (s *shard) heardBy(c *Connection, r *room) *Tail {
	if b := s.of(c, RoomConversation(r.name)); b != nil && b.ahead && b.at != never {
		return &b.last
	}
	return &r.tail
}

// tailAt is the end of a conversation whose last change this is.
func tailAt(ch *Change) Tail {
	return Tail{Seq: ch.Seq, Change: ch.Number, Tag: ch.Tag, ServerTS: ch.ServerTS, Epoch: ch.Epoch}
}

// isBehind reports whether a connection is among those that are behind.
func isBehind(c *Connection, among []*behind) bool {
	return slices.ContainsFunc(among, func(b *behind) bool { return b.c == c })
}

// of returns what a connection is behind in a conversation, or nil. Called with mu held.
func (s *shard) of(c *Connection, in Conversation) *behind {
	for _, b := range s.behind[in] {
		if b.c == c {
			return b
		}
	}
	return nil
}
