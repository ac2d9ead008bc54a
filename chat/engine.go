package chat

import (
	"context"
	"errors"
	"time"
)

// RefLifetime is how long a ref keeps a message from being stored twice, unless the engine says
// otherwise.
const RefLifetime = 24 * time.Hour

// ErrNotFound is an engine's error for something that it does not hold.
var ErrNotFound = errors.New("chat: not found")

// ErrSessionRefused is an engine's error for a session that cannot be resumed: there is none
// with this id, it has ended or expired, or the key is not its key.
var ErrSessionRefused = errors.New("chat: there is no such session, or the key is not its key")

// ErrNameTaken is an engine's error for a user whose name looks like another user's but is
// not the same.
var ErrNameTaken = errors.New("chat: the name looks like that of another user")

// ErrOutcomeUnknown is an engine's error, possibly wrapped, for something that may or may
// not have been stored: a write failed halfway, or took longer than its context. With any
// other error nothing was stored.
var ErrOutcomeUnknown = errors.New("chat: it is not known what was stored")

// Engine is what a hub needs from outside: storage, and the connection to the other nodes of
// the service. The parts may come from different packages. chat/enginetest verifies the
// contract that is written here.
//
// Every method with a context returns soon after the context ends, whatever the engine
// waits for. All methods may be called from any number of goroutines. Unless a method says
// otherwise, an engine does not keep its arguments, and its results belong to the caller.
//
// The effect of a call that returns an error, in particular because its context ended:
//
//	Log.Append          nothing stored, unless ErrOutcomeUnknown says that it may be
//	Directory.PutUser   the same; ChangeUser and DeleteUser, too
//	Members.Join        nothing is stored, or it is as without the error. The same is true
//	                    of Leave, and of the methods of Sessions and Bans that store
//	Node.Subscribe      no subscription; Unsubscribe does no harm
//	Node.Connect        as without the error, but other nodes are told when the engine can
//	                    be reached. The caller has to call Disconnect as without the error
//
// Ending something that has not begun, or has ended already, has no effect.
type Engine struct {
	Log       Log
	Directory Directory
	Members   Members
	Broker    Broker
	Presence  Presence
	Sessions  Sessions
	Bans      Bans
	Health    Health
	Takeover  Takeover // nil: no process can take over from another one

	// RefLifetime is the minimum time for which a ref keeps a message from being stored
	// twice. 0 means the constant of this name.
	RefLifetime time.Duration
}

// Log stores the changes of conversations. The changes of a conversation are numbered 1, 2,
// 3 …, and its messages separately by seq. So far, messages are the only kind of change.
type Log interface {
	// Append stores entries. It calls done once for each of them, in order within a
	// conversation, and then returns. Entries of different conversations are independent:
	// one may fail while another is stored. A Result without an error is durable.
	//
	// The engine assigns everything in a Change except the message itself. server_ts does
	// not decrease within a conversation, except back to the right time after the clock was
	// wrong. If an entry's sender and ref are those of an earlier message of the
	// conversation, within Engine.RefLifetime, it is not stored: its Result is that of the
	// earlier message, marked as a duplicate.
	//
	// done may be called before or after the change is given to receivers: the hub that
	// appends holds the change back until it has the Result, so that the acknowledgement
	// comes before the message. done must not block or call the engine.
	//
	// If the store has lost something meanwhile, a Result may be of a later epoch than what the
	// receivers of this process have been given. They are given nothing of an earlier epoch after
	// it. A Result of an earlier epoch than they have been told of is ErrOutcomeUnknown.
	Append(ctx context.Context, entries []Entry, done func(i int, r Result))

	// History reads messages of a conversation. A conversation that does not exist is
	// empty. Messages that were stored and cannot be read any more are named in the page.
	// An engine may drop the oldest messages of a conversation; the page says where it begins.
	History(ctx context.Context, q HistoryQuery) (Page, error)

	// Changes reads at most limit changes of a conversation, in order, after the one with
	// this number. more says that there are further ones.
	Changes(ctx context.Context, c Conversation, after uint64, limit int) (changes []Change, more bool, err error)

	// Now returns the engine's time, in ms since 1970. What is stored later has no smaller
	// server_ts, unless the clock is set back. It does not block.
	Now() int64

	// Epoch returns the epoch of conversations that have never lost anything.
	Epoch(ctx context.Context) (string, error)

	// Tail returns the end of a conversation. If the conversation does not exist, only the
	// epoch is set.
	Tail(ctx context.Context, c Conversation) (Tail, error)

	// Locate returns the seq of the message with this id in this conversation, or
	// ErrNotFound, even if another conversation has such a message.
	Locate(ctx context.Context, c Conversation, id string) (seq uint64, err error)
}

// Directory knows the users, and which conversations exist.
type Directory interface {
	// PutUser durably stores a new user, or replaces one. If the name is new to the user,
	// and another user has a different name with the same look (LookOf), it stores nothing
	// and returns ErrNameTaken. Any number of users may have exactly the same name. ValidFrom
	// never becomes less than what is stored.
	//
	// The nodes to which the user is connected are told the new name, and so are those that
	// subscribe to a room that the user is in.
	PutUser(ctx context.Context, u User) error

	// ChangeUser changes a user as PutUser does, in one step: nothing that happens at the same
	// time is undone, and a user who does not exist, or has just been deleted, is not stored
	// again. It returns the user as of then, or ErrNotFound.
	ChangeUser(ctx context.Context, id string, c UserChange) (User, error)

	// User returns the user with this id, or ErrNotFound.
	User(ctx context.Context, id string) (User, error)

	// DeleteUser deletes a user, and then ends the user's memberships and sessions, in this
	// order, so that the user cannot log in again meanwhile. What they said stays. A user
	// who does not exist is no error.
	DeleteUser(ctx context.Context, id string) error

	// Rooms lists at most limit rooms that have messages and whose names contain search,
	// ignoring case. Rooms with newer messages come first, then they are ordered by name.
	// The list begins after the given place; the zero place is before the first room. next
	// is where to go on, or the zero place if there are no more. A long search may return
	// fewer rooms, even none, together with a next.
	Rooms(ctx context.Context, after RoomPlace, search string, limit int) (rooms []RoomInfo, next RoomPlace, err error)

	// Talks lists at most limit users with whom user has a private conversation whose last
	// message has a server_ts of at least since, in byte order of their ids, after the given
	// id.
	Talks(ctx context.Context, user string, since int64, after string, limit int) (talks []Talk, more bool, err error)
}

// Broker carries changes and presence events to the nodes that want them.
type Broker interface {
	// Attach adds a node. Its receiver gets what the node subscribes to, until Detach.
	Attach(r Receiver) Node
}

// Node is the engine's side of one node: what the node subscribes to, and who is connected to
// it. Only Subscribe and Connect may block.
type Node interface {
	// Subscribe makes the receiver get the changes of a conversation after the position
	// that it returns: in order, without a gap or a duplicate, or else Lost, once. Changes
	// may begin to arrive before Subscribe returns, and some that are not after the
	// position may arrive before those that are. With an error, the receiver is not
	// subscribed.
	Subscribe(ctx context.Context, c Conversation) (Tail, error)

	// Unsubscribe ends the subscription. Changes that are on their way may still arrive, but
	// not after a later Subscribe has returned.
	Unsubscribe(c Conversation)

	// Connect says that a user has one more connection to this node. From then on the user
	// is online, and the receiver gets the changes of their private conversations (each
	// once, even if both users are connected here) and their new names. It returns the user
	// as of then, or ErrNotFound.
	//
	// Disconnect says that a connection has ended. It must be called once for each Connect,
	// whatever that returned.
	Connect(ctx context.Context, userID string) (User, error)
	Disconnect(userID string)

	// Enter and Leave are called in pairs for each connection in a room, between its Connect
	// and Disconnect. The nodes that subscribe to the room are told about a user's first
	// Enter and last Leave. With the last Disconnect the user leaves all rooms. If an engine
	// cannot tell the other nodes at once, it tells them later.
	Enter(room, userID string)
	Leave(room, userID string)

	// Detach ends everything. After it returns, the receiver is not called any more. If a
	// process ends without Detach, its users go offline after a time that the engine sets.
	Detach()
}

// Receiver is a node as its engine sees it. Its methods must not block or call the engine.
type Receiver interface {
	Deliver(c Conversation, ch *Change)

	// Lost says that the history of a conversation has been replaced, or that changes were
	// missed. Only changes after now will follow.
	Lost(c Conversation, now Tail)

	// Here reports a presence event in a room to which the node is subscribed.
	Here(room string, ev PresenceEvent)

	// Renamed reports the new name of a user who is connected to this node.
	Renamed(u User)

	// Member reports that a user who is connected to this node has become a member of a
	// room (joined), or is one no longer. A report may come late and more than once, but
	// after the last change of a membership there is at least one. With the room "", any
	// membership of the user may have changed.
	Member(userID, room string, joined bool)

	// Ended reports that sessions of a user have ended: the one with this id or, if that is
	// "", all of them. It comes within a second, to every node that the user may be
	// connected to, and perhaps more than once.
	Ended(userID, sessionID string, why Ending)

	// Banned reports a ban that is new. The end of a banned user's sessions is also reported
	// with Ended.
	Banned(b Ban)
}

// Presence knows which users are connected, and who is in which room, on all nodes, from what
// the nodes report through Node. A user counts once, however many connections they have.
type Presence interface {
	// Users lists at most limit users in a room, in byte order of their ids.
	Users(ctx context.Context, room string, limit int) (users []User, more bool, err error)

	// Counts returns how many users are in each of the rooms.
	Counts(ctx context.Context, rooms []string) ([]int, error)

	// Online returns those of the users that are connected, by id.
	Online(ctx context.Context, userIDs []string) (map[string]User, error)
}

// PresenceEvent says that a user joined or left a room, or was renamed while in it.
type PresenceEvent struct {
	Kind   PresenceKind
	User   User
	Before string // the name before Renamed
}

// PresenceKind is the kind of a PresenceEvent.
type PresenceKind uint8

const (
	Joined PresenceKind = iota
	Left
	Renamed
)

func (k PresenceKind) String() string { return [...]string{"joined", "left", "renamed"}[k] }

// Health is the state of an engine.
type Health interface {
	// Healthy returns nil if the engine works as it should, otherwise an error that says
	// what is wrong.
	Healthy() error

	// Close ends the engine when everything in progress is done, or the context ends.
	Close(ctx context.Context) error
}

// Entry is a message to be stored. From Append on, the message belongs to the engine, which
// sets its ServerTS and may give it to receivers. The caller must not change it any more.
type Entry struct {
	Conversation Conversation
	Message      *Message
}

// Result is the outcome of an Entry.
type Result struct {
	Change    Change // zero if there is an error
	Duplicate bool   // it had been stored before; Change is the earlier one's
	Err       error
}

// Change is a durable change of a conversation.
type Change struct {
	Number   uint64   // 1, 2, 3 … in the conversation
	Tag      uint32   // random: a change with the same number and another tag is of another history
	Epoch    string   // of the conversation: numbers are comparable only within an epoch
	Seq      uint64   // of the message: 1, 2, 3 … among the messages
	ID       string   // of the message
	ServerTS int64    // of the message
	Message  *Message // nil in the Result of a duplicate
	Damaged  bool     // it was stored and cannot be read any more: only Number and Epoch are set
}

// Message is a message's content, without its place in the conversation.
type Message struct {
	Sender     string // user id
	SenderName string // the sender's name when the message was sent
	Timestamp  string // a JSON number, as the sender wrote it
	Content    string
	Metadata   []byte // a JSON object, as the sender wrote it
	Ref        string // "": none. Not returned by an engine
	ServerTS   int64  // ms since 1970; set by the engine
}

// Stored is a message with its place in the conversation.
type Stored struct {
	Message
	ID  string
	Seq uint64
}

// Tail is the end of a conversation.
type Tail struct {
	Seq      uint64 // 0: no message yet
	Change   uint64
	Tag      uint32 // of the last change
	ServerTS int64  // of the last message; 0 if there is none
	Epoch    string
}

// HistoryQuery asks for messages of one conversation that meet all four bounds.
type HistoryQuery struct {
	Conversation Conversation
	AfterSeq     uint64 // exclusive
	BeforeSeq    uint64 // exclusive; 0: no bound
	Since        int64  // server_ts in ms, inclusive
	Until        int64  // server_ts in ms, exclusive; 0: no bound
	Newest       bool   // take the last messages within the bounds, not the first
	Limit        int    // at least 1
}

// Page is part of a conversation, oldest first.
type Page struct {
	Messages []Stored
	Epoch    string
	First    uint64   // seq of the oldest message of the conversation that is kept, or of the next one, if none is: those before it were dropped
	More     bool     // there are more within the bounds, beyond Limit
	Damaged  []uint64 // seqs of messages between these that cannot be read any more; Limit does not count them
}

// RoomInfo is a room in a list.
type RoomInfo struct {
	Name     string
	Seq      uint64
	ServerTS int64
}

// RoomPlace is a place in the list of rooms: directly after the room with this name, whose
// last message has this server_ts.
type RoomPlace struct {
	ServerTS int64
	Name     string
}

// Talk is the other person of a private conversation, in a list.
type Talk struct {
	UserID   string
	Seq      uint64
	ServerTS int64
}
