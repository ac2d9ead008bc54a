package enginetest

import (
	"fmt"
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// The model: what a connection may be sent. It knows nothing of nodes, engines and doorbells.
//
// In a room, a connection hears every message after the position of its join and before its
// leave, in order and once. When the room's history is lost it is told, and hears what follows the
// position that it is told. If another connection of its user joins or leaves, it is told from
// where on it hears the room, or that it hears nothing more. If it unsubscribes, it hears nothing
// more, until it joins again or the user has left in the meantime. It hears its user's private
// messages in the same way, from the first one that was sent while it was open. For its own
// messages, the acknowledgement comes first. All connections agree on the place of every message,
// and so does the store.

// place is the place of a message in its conversation.
type place struct {
	in    chat.Conversation
	epoch string
	seq   uint64
}

// view is how far a connection has heard a conversation.
type view struct {
	epoch string
	last  uint64
	first uint64 // the first that it heard; for private ones

	// It joined the room by a message of its own, whose place is last, and has heard nothing yet.
	// So the next message that it hears is at most that one, unless the message was stored before.
	unheard, anything bool

	position string // the last one that it was given
}

// viewOf is the view of a connection that hears what follows the place in an event.
func viewOf(ev event) *view {
	return &view{epoch: ev.Epoch, last: ev.Seq, position: ev.Position}
}

// next takes a message that was heard.
func (v *view) next(ev event) error {
	switch {
	case v.unheard && (v.anything || ev.Epoch != v.epoch || ev.Seq <= v.last): // its first
		v.unheard = false
	case ev.Epoch != v.epoch:
		return fmt.Errorf("of epoch %s, where it was in %s", ev.Epoch, v.epoch)
	case ev.Seq != v.last+1:
		return fmt.Errorf("%d after %d", ev.Seq, v.last)
	}
	v.epoch, v.last, v.position = ev.Epoch, ev.Seq, ev.Position
	return nil
}

// model is what a connection has done and heard.
type model struct {
	user  string
	asks  map[string]event // by ref, those that are not answered
	acked map[chat.Conversation]place
	in    map[string]*view            // by room
	muted map[string]*view            // rooms from which it has unsubscribed
	talks map[chat.Conversation]*view // once something was heard

	// What its client claims to hold, until that is known to be live.
	held     map[chat.Conversation]*view
	resuming bool
	missed   uint64            // messages that it was sent, or told to read, in all conversations that it holds
	partly   chat.Conversation // the conversation that the last messages were from
	reloads  []reload          // of its client's connections

	deleted map[string]bool // users who have been deleted
}

func newModel(user string) *model {
	return &model{
		user: user, asks: make(map[string]event), acked: make(map[chat.Conversation]place),
		in: make(map[string]*view), muted: make(map[string]*view), talks: make(map[chat.Conversation]*view),
		held: make(map[chat.Conversation]*view),
	}
}

// clone copies a model made by carry.
func (m *model) clone() *model {
	c := newModel(m.user)
	c.resuming, c.reloads = m.resuming, slices.Clone(m.reloads)
	for in, v := range m.held {
		held := *v
		c.held[in] = &held
	}
	return c
}

// replay processes everything that a socket has noted. Called with mu held.
func replay(s *socket) (*model, error) {
	m := s.base.clone()
	m.deleted = s.p.deleted
	for i, ev := range s.notes {
		if err := m.take(ev); err != nil {
			return m, fmt.Errorf("%s: note %d, %s %s in %s: %w, holding%s, in %s", s.user, i+1, ev.Type, ev.Op+ev.Event+ev.Status, ev.Receiver, err, s.base.holds(), s.story())
		}
	}
	return m, nil
}

func (m *model) take(ev event) error {
	asked, mine := m.asks[ev.Ref]
	delete(m.asks, ev.Ref)
	switch {
	case ev.Type == "ask":
		m.asks[ev.Ref] = ev
	case ev.Type == "error" && mine && (asked.Op == "leave" || asked.Op == "unsubscribe") && ev.Reason == "unknown_room":
		if m.in[asked.Receiver] != nil {
			return fmt.Errorf("it is in the room")
		}
	case ev.Type == "ack" && ev.Op == "logout" && mine && asked.Op == ev.Op:
	case ev.Type == "ack" && mine && asked.Op == ev.Op && asked.Receiver == ev.Receiver:
		return m.acknowledged(ev, asked.again)
	case ev.Type == "error" && mine && asked.Op == "logout" && ev.Reason == "unknown_session":
	case ev.Type == "error" && mine && asked.Op == "logout" && ev.Reason == "user_deleted" && m.deleted[m.user]:
	case ev.Type == "error" && mine && asked.Op == "message" && ev.Reason == "unknown_user" && m.deleted[asked.Receiver]:
	case ev.Type == "error" && mine && (asked.Op == "join" || asked.Op == "group") && ev.Reason == "session_ended": // check looks whether it has
	case ev.Type == "error" && !mine && (ev.Reason == "session_ended" || ev.Reason == "banned" || ev.Reason == "user_deleted"):
	case ev.Type == "system":
		return m.told(ev)
	case ev.Type == "resume":
		return m.resume(ev)
	case ev.Type == "group" || ev.Type == "message":
		return m.heard(ev)
	case ev.Type == "auth_ok":
	default:
		return fmt.Errorf("unexpected: %s %s", ev.Reason, ev.Message)
	}
	return nil
}

// told processes what the service says about a room.
func (m *model) told(ev event) error {
	if c := chat.RoomConversation(ev.Receiver); m.held[c] != nil {
		m.live(c) // nothing was missed
	}
	v := m.in[ev.Receiver]
	switch ev.Event {
	case "reload":
		if v == nil && !m.saying(ev.Receiver) {
			return fmt.Errorf("it is not in the room")
		}
		if v != nil {
			m.reloads = append(m.reloads, reload{in: chat.RoomConversation(ev.Receiver), unfounded: v.epoch == ev.Epoch && !v.unheard})
		}
		m.in[ev.Receiver] = viewOf(ev)
	case "subscribed":
		if v != nil {
			return fmt.Errorf("it is in the room already")
		}
		if m.resuming {
			return fmt.Errorf("it is resuming")
		}
		delete(m.muted, ev.Receiver)
		m.in[ev.Receiver] = viewOf(ev)
	case "unsubscribed":
		if v == nil {
			return fmt.Errorf("it is not in the room")
		}
		delete(m.in, ev.Receiver)
	default:
		return fmt.Errorf("unexpected")
	}
	return nil
}

// saying reports whether a message to a room is unanswered.
func (m *model) saying(room string) bool {
	for _, ev := range m.asks {
		if ev.Op == "group" && ev.Receiver == room {
			return true
		}
	}
	return false
}

func (m *model) acknowledged(ev event, again bool) error {
	if m.resuming {
		return fmt.Errorf("answered while it resumes")
	}
	v := m.in[ev.Receiver]
	switch ev.Op {
	case "join", "leave", "unsubscribe":
		if v != nil && !v.unheard && (v.epoch != ev.Epoch || v.last != ev.Seq) {
			return fmt.Errorf("at %d of %s, having heard %d of %s", ev.Seq, ev.Epoch, v.last, v.epoch)
		}
		delete(m.in, ev.Receiver)
		switch {
		case ev.Op == "join":
			delete(m.muted, ev.Receiver)
			m.in[ev.Receiver] = viewOf(ev)
		case ev.Op == "leave":
			delete(m.muted, ev.Receiver)
		case v != nil:
			m.muted[ev.Receiver] = viewOf(ev)
		}
		return nil
	case "group":
		if delete(m.muted, ev.Receiver); v == nil {
			m.in[ev.Receiver] = &view{epoch: ev.Epoch, last: ev.Seq, unheard: true, anything: again}
		}
	}
	if again {
		return nil // it may have been stored long ago
	}
	at := m.place(ev)
	if before := m.acked[at.in]; before.epoch == at.epoch && before.seq >= at.seq {
		return fmt.Errorf("acknowledged at %d after one at %d", at.seq, before.seq)
	}
	m.acked[at.in] = at
	return nil
}

// place is the place that a message or its acknowledgement names.
func (m *model) place(ev event) place {
	at := place{chat.RoomConversation(ev.Receiver), ev.Epoch, ev.Seq}
	switch {
	case ev.Type == "message":
		at.in = chat.PrivateConversation(ev.Sender, ev.Receiver)
	case ev.Op == "message":
		at.in = chat.PrivateConversation(m.user, ev.Receiver)
	}
	return at
}

func (m *model) heard(ev event) error {
	if asked, early := m.asks[ev.Content]; early && !asked.again {
		return fmt.Errorf("its own message %s, before the acknowledgement", ev.Content)
	}
	if c := m.place(ev).in; m.held[c] != nil {
		m.live(c) // nothing was missed
	}
	if ev.Type == "group" {
		v := m.in[ev.Receiver]
		if v == nil {
			if !m.saying(ev.Receiver) {
				return fmt.Errorf("it is not in the room")
			}
			v = &view{epoch: ev.Epoch, last: ev.Seq, unheard: true}
			m.in[ev.Receiver] = v
		}
		return v.next(ev)
	}
	c := m.place(ev).in
	if m.talks[c] == nil {
		m.talks[c] = &view{epoch: ev.Epoch, last: ev.Seq - 1, first: ev.Seq}
	}
	return m.talks[c].next(ev)
}
