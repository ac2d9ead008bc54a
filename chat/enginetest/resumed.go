package enginetest

import (
	"fmt"

	"github.com/hawser-ws/hawser/chat"
)

// The model of resuming. For each conversation that a client holds, it is sent what follows, in
// order and once, and after that the live messages. Otherwise it is told to read the history,
// for a valid reason, or that the user is no longer a member. For each conversation that it does
// not hold, it is told from where on it hears it.

// reload means that a client was told to read a history.
type reload struct {
	in        chat.Conversation
	few       bool // resume said so, and it has not missed more than is allowed of a conversation
	unfounded bool // unless the history was lost
}

func (m *model) conversation(receiver string) chat.Conversation {
	if chat.ValidUserID(receiver) {
		return chat.PrivateConversation(m.user, receiver)
	}
	return chat.RoomConversation(receiver)
}

// resume processes an answer to resume.
func (m *model) resume(ev event) error {
	if !m.resuming {
		return fmt.Errorf("it is not resuming")
	}
	c := m.conversation(ev.Receiver)
	room, isRoom := c.Room()
	v := m.held[c]
	if v == nil && ev.Status == "reload" { // after the last page
		v = m.talks[c]
		if isRoom {
			v = m.in[room]
		}
	}
	if v == nil && ev.Status != "new" && ev.Status != "done" {
		return fmt.Errorf("its client holds nothing of that, or hears it already")
	}
	switch ev.Status {
	case "missed":
		return m.caughtUp(c, ev)
	case "reload":
		r := reload{in: c}
		if v.epoch == ev.Epoch {
			n := ev.Seq - min(v.last, ev.Seq)
			m.missed += n
			r.few = n <= resumeBound
		} else if m.partly == c {
			m.missed += resumeBound // this many may have been meant to follow
		}
		m.reloads = append(m.reloads, r)
		*v = *viewOf(ev)
		if m.held[c] != nil {
			m.live(c)
		}
	case "new":
		switch {
		case v != nil:
			return fmt.Errorf("its client holds it")
		case m.in[room] != nil || m.talks[c] != nil:
			return fmt.Errorf("it hears that already")
		case isRoom:
			m.in[room] = viewOf(ev)
		default:
			m.talks[c] = viewOf(ev)
		}
	case "gone":
		if !isRoom {
			return fmt.Errorf("nobody leaves a private conversation")
		}
		delete(m.held, c)
	case "done":
		return m.done()
	default:
		return fmt.Errorf("unexpected")
	}
	return nil
}

// caughtUp processes messages that were missed.
func (m *model) caughtUp(c chat.Conversation, ev event) error {
	if len(ev.Messages) == 0 {
		return fmt.Errorf("of which nothing was missed")
	}
	for _, missed := range ev.Messages {
		if m.place(missed).in != c {
			return fmt.Errorf("a message in %s", missed.Receiver)
		}
		if err := m.held[c].next(missed); err != nil {
			return err
		}
		m.missed++
	}
	if m.partly = c; !ev.HasMore {
		m.live(c)
	}
	return nil
}

// live notes that from now on the connection hears a conversation's messages.
func (m *model) live(c chat.Conversation) {
	if room, ok := c.Room(); ok {
		m.in[room] = m.held[c]
	} else {
		m.talks[c] = m.held[c]
	}
	delete(m.held, c)
}

// done ends the resuming: nothing more was missed.
func (m *model) done() error {
	m.resuming = false
	for c := range m.held {
		m.live(c)
	}
	for i := range m.reloads {
		r := &m.reloads[i]
		r.unfounded = r.unfounded || r.few && m.missed <= resumeBoundAll
		r.few = false
	}
	return nil
}

// holds describes what a model holds, for people.
func (m *model) holds() (text string) {
	for c, v := range m.held {
		text += fmt.Sprintf(" %s until %d of %s (%s)", c, v.last, v.epoch, v.position)
	}
	return text
}
