package consistency

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Kind is the kind of an Event.
type Kind string

// The kinds of events, and their fields besides At. All except the last three have Conn,
// unless they are an auditor's. All except those, Connected and Disconnected have a
// Conversation.
const (
	Connected    Kind = "connected"    // auth_ok: Client, User, Node
	Disconnected Kind = "disconnected" // for whatever Reason
	Sent         Kind = "sent"         // about to write a message: Ref, Content
	Acked        Kind = "acked"        // the answer to it: Ref, ID, Seq, Epoch
	Refused      Kind = "refused"      // the answer to it: Ref, Reason
	Ready        Kind = "ready"        // the first answer after auth_ok: the rooms of the user are heard. Told
	Subscribed   Kind = "subscribed"   // told to hear it from Seq on; in a room, as a member: Seq, Epoch
	Resumed      Kind = "resumed"      // asked to hear it from Seq on: Seq, Epoch
	Unsubscribed Kind = "unsubscribed" // from a room, on this connection
	Joining      Kind = "joining"      // about to make the user a member of a room, and to hear it
	Leaving      Kind = "leaving"      // about to end the user's membership of a room
	Left         Kind = "left"         // the answer to it
	Gone         Kind = "gone"         // told that the user is not a member of the room
	Delivered    Kind = "delivered"    // Sender, Content, ID, Seq, Epoch, ServerTS
	Reload       Kind = "reload"       // told to read it again: Seq, Epoch
	Read         Kind = "read"         // a page of history: Began, After, Messages, More, Damaged
	Present      Kind = "present"      // who is in a room: Began, Users
	Moved        Kind = "moved"        // told that one of Users has come or gone: Reason. For those who read the history

	// Lossy: from Began to At something was done to the service that may lose stored data,
	// such as FLUSHALL. Messages acknowledged more than Window before Began are safe; a
	// Window below 0 means that none are.
	Lossy Kind = "lossy"

	// Settled: by Began the service had had the time that it may take to become well. From
	// Began to At, no client sent, joined or left; they only read.
	Settled Kind = "settled"

	// Fault: something was done to the service that may lose the memberships of the last
	// second, and nothing else. Node and Reason are for those who read the history.
	Fault Kind = "fault"
)

// OutcomeUnknown is the reason of a refusal that leaves open whether the message was stored.
const OutcomeUnknown = "outcome_unknown"

// Message is a message as a client sees it.
type Message struct {
	Sender   string `json:",omitzero"` // user id
	Content  string `json:",omitzero"`
	ID       string `json:",omitzero"`
	Seq      uint64 `json:",omitzero"`
	Epoch    string `json:",omitzero"`
	ServerTS int64  `json:",omitzero"` // ms since 1970
}

// Event is one thing that a client did or saw, or that was done to the service.
type Event struct {
	Kind         Kind
	At           time.Duration // since the history began
	Began        time.Duration `json:",omitzero"` // when the request was about to be written
	Conn         int           `json:",omitzero"` // a connection: 1, 2, 3 … in the whole history
	Client, User string        `json:",omitzero"`
	Node         string        `json:",omitzero"`
	Conversation string        `json:",omitzero"` // the name of a room, or of Private
	Message
	Ref, Reason string        `json:",omitzero"`
	After       uint64        `json:",omitzero"` // the page begins after this seq
	Messages    []Message     `json:",omitzero"`
	More        bool          `json:",omitzero"` // there are messages beyond the page
	Damaged     []uint64      `json:",omitzero"` // seqs of messages that cannot be read any more
	Users       []string      `json:",omitzero"`
	Told        bool          `json:",omitzero"` // the client is told which rooms it hears
	Window      time.Duration `json:",omitzero"`
}

// privateMark separates the two users in the name of a private conversation. No room has it
// in its name.
const privateMark = "|"

// Private names the private conversation of two users.
func Private(a, b string) string { return min(a, b) + privateMark + max(a, b) }

// people returns the two users of a private conversation.
func people(conversation string) (a, b string, private bool) {
	return strings.Cut(conversation, privateMark)
}

// Save writes a history.
func Save(w io.Writer, history []Event) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for i := range history {
		if err := e.Encode(&history[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// Load reads what Save has written.
func Load(r io.Reader) (history []Event, err error) {
	for d := json.NewDecoder(r); ; {
		var e Event
		switch err := d.Decode(&e); err {
		case nil:
			history = append(history, e)
		case io.EOF:
			return history, nil
		default:
			return nil, fmt.Errorf("event %d: %w", len(history)+1, err)
		}
	}
}
