package chat

import (
	"context"
	"errors"
	"time"
)

// RefLifetime is how long a ref keeps a message from being stored twice, at least.
const RefLifetime = 24 * time.Hour

// ErrNotFound is the error of an engine for what it does not hold.
var ErrNotFound = errors.New("chat: not found")

// ErrNameTaken is the error of an engine for a user whose name looks like that of another
// user and is not the same.
var ErrNameTaken = errors.New("chat: the name looks like that of another user")

// ErrOutcomeUnknown is the error, perhaps wrapped, of what may have been stored and may
// not: a write failed in the middle, or took longer than its context. With any other error
// nothing was stored.
var ErrOutcomeUnknown = errors.New("chat: it is not known what was stored")

// Engine is what a hub keeps outside itself: what is stored, and how the nodes of one
// service hear of it. The parts may come from different packages. chat/enginetest proves
// the contract that is written here.
//
// Every method that has a context returns soon after the context ends, whatever the
// engine waits for. Every method may be called from any number of goroutines. An engine
// keeps nothing that it is given, and what it returns belongs to the caller.
//
// What an error leaves behind, in particular that of a context which ended:
//
//	Log.Append                            nothing stored, unless ErrOutcomeUnknown says that it may be
//	Directory.PutUser                     the same
//	Node.Subscribe                        no subscription; Unsubscribe does no harm
//	Node.Follow, Presence.Connect, Enter  what was asked for, as without the error; others hear of it when
//	                                      the engine can be reached. The caller ends it as without the error
//	Presence.Disconnect, Leave, Rename    the same
//
// Ending what has not begun, or has ended, does nothing.
type Engine struct {
	Log       Log
	Directory Directory
	Broker    Broker
	Presence  Presence
	Sessions  Sessions
	Bans      Bans
	Health    Health
}

// Log keeps what is said. The changes of a conversation are numbered 1, 2, 3 …, and so
// are its messages, by seq. Messages are the only kind of change so far.
type Log interface {
	// Append stores entries, and returns when done has been called for each of them, which
	// it is once, in order within a conversation. Entries of different conversations
	// have nothing to do with each other: one may fail while another one is stored. A
	// Result without an error is durable.
	//
	// The engine assigns everything in a Change but the message itself. server_ts does not
	// decrease within a conversation, except back to the right time after the clock was
	// wrong. An entry whose sender and ref are those of an earlier message of the
	// conversation, within RefLifetime, is not stored: its Result is the earlier one's, and
	// is marked as a duplicate.
	//
	// done may be called before the change is given to receivers, or after: the hub that
	// appends holds the change back until its Result is there, so that the acknowledgement
	// comes before the message. done must not block, nor call the engine.
	Append(ctx context.Context, entries []Entry, done func(i int, r Result))

	// History reads messages of a conversation. One that does not exist is empty.
	History(ctx context.Context, q HistoryQuery) (Page, error)

	// Changes reads at most limit changes of a conversation, in order, after the one with
	// this number. more says that there are others.
	Changes(ctx context.Context, c Conversation, after uint64, limit int) (changes []Change, more bool, err error)

	// Now is the engine's clock, in ms since 1970: what is stored next has no smaller
	// server_ts, unless the clock is set back meanwhile. It does not block.
	Now() int64

	// Epoch is that of the conversations which have never lost anything.
	Epoch(ctx context.Context) (string, error)

	// Tail is the end of a conversation. Of one that does not exist it is zero but for the
	// epoch.
	Tail(ctx context.Context, c Conversation) (Tail, error)

	// Locate is the seq of the message with this id in this conversation; ErrNotFound if it
	// has no such message, wherever else there may be one.
	Locate(ctx context.Context, c Conversation, id string) (seq uint64, err error)
}

// Directory knows who and what there is.
type Directory interface {
	// PutUser stores a new user, or replaces one, durably. It stores nothing and returns
	// ErrNameTaken if the name is new to the user, and another user has a name with the
	// same look (LookOf) that is not the same. Many users may have the same name.
	//
	// The nodes at which the user is connected are told the new name, and those that
	// subscribe to a room in which the user is hear of it.
	PutUser(ctx context.Context, u User) error

	// User is the user with this id, or ErrNotFound.
	User(ctx context.Context, id string) (User, error)

	// Rooms lists at most limit rooms that have messages and whose names contain search, in
	// upper or lower case, those with the newest messages first and otherwise by name,
	// after the given place; the zero place is before the first. next is where to go on, or
	// the zero place if there are no others. A long search may return fewer, or
	// none, and a next.
	Rooms(ctx context.Context, after RoomPlace, search string, limit int) (rooms []RoomInfo, next RoomPlace, err error)

	// Talks lists at most limit people with whom user has a private conversation, in byte
	// order of their ids, after the given id.
	Talks(ctx context.Context, user, after string, limit int) (talks []Talk, more bool, err error)
}

// Broker carries what happens to the nodes that want to know it.
type Broker interface {
	// Attach adds a node, which hears what it subscribes to until it detaches.
	Attach(r Receiver) Node
}

// Node is an engine's side of one node: what it wants to hear, and who is connected there.
// Only Subscribe and Connect may block.
type Node interface {
	// Subscribe has the receiver given the changes of a conversation, in order, none
	// missing and none twice, after the position that it returns; or Lost, once. They may
	// begin to come before Subscribe returns, and some that are not after the position
	// may come, too, before those that are. With an error, the receiver is not subscribed.
	Subscribe(ctx context.Context, c Conversation) (Tail, error)

	// Unsubscribe ends that. What is on its way may still come, but nothing after a later
	// Subscribe has returned.
	Unsubscribe(c Conversation)

	// Connect says that a connection of a user is here. The user is online from then on, and
	// the receiver is given the changes of their private conversations, each once even if
	// both people are here, and their new names. What it returns is the user as of then;
	// ErrNotFound if there is none.
	//
	// Disconnect says that the connection has gone. It is called once for each
	// Connect, whatever that returned.
	Connect(ctx context.Context, userID string) (User, error)
	Disconnect(userID string)

	// Enter and Leave are called for each connection in a room, in pairs, between its
	// Connect and Disconnect. The nodes that subscribe to the room hear of a user's first
	// connection there and of the last. With the last Disconnect the user is in no room,
	// whatever was entered. An engine that cannot tell others at once tells them when it can.
	Enter(room, userID string)
	Leave(room, userID string)

	// Detach ends everything. When it returns, the receiver is not called any more. If a
	// process ends without it, its people go offline after a time that the engine sets.
	Detach()
}

// Receiver is a node as its engine sees it. Its methods do not block, and do not call the
// engine.
type Receiver interface {
	Deliver(c Conversation, ch *Change)

	// Lost says that the history of a conversation is another one, or that changes were
	// missed. Only changes after now will be given.
	Lost(c Conversation, now Tail)

	// Here tells of somebody in a room to which the node is subscribed.
	Here(room string, ev PresenceEvent)

	// Renamed tells the new name of a user who is connected to this node.
	Renamed(u User)
}

// Presence answers who is connected, and who is in which room, over all nodes: what the
// nodes say through Node. A user counts once, however many connections they have.
type Presence interface {
	// Users lists at most limit people who are in a room, in byte order of their ids.
	Users(ctx context.Context, room string, limit int) (users []User, more bool, err error)

	// Counts is how many people are in each of some rooms.
	Counts(ctx context.Context, rooms []string) ([]int, error)

	// Online finds those of some users that are connected; the others are absent.
	Online(ctx context.Context, userIDs []string) (map[string]User, error)
}

// PresenceEvent is something that happened to somebody in a room.
type PresenceEvent struct {
	Kind   PresenceKind
	User   User
	Before string // the name before Renamed
}

// PresenceKind is what happened.
type PresenceKind uint8

const (
	Joined PresenceKind = iota
	Left
	Renamed
)

func (k PresenceKind) String() string { return [...]string{"joined", "left", "renamed"}[k] }

// Sessions keeps log-ins. Today one lasts as long as its connection.
type Sessions interface {
	Begin(ctx context.Context, s SessionRecord) error
	End(id string) // does not block
}

// SessionRecord is a log-in.
type SessionRecord struct {
	ID, UserID string
	Address    string // for people
	Began      int64  // ms since 1970
}

// Bans says who may not take part.
type Bans interface {
	// Banned is why a user may not take part; "" if they may.
	Banned(ctx context.Context, userID string) (reason string, err error)
}

// Health is how an engine is.
type Health interface {
	// Healthy is why the engine does not do all that it should; nil if it does.
	Healthy() error

	// Close ends the engine, when what is under way is done or the context ends.
	Close(ctx context.Context) error
}

// Entry is a message to be stored. The engine sets the message's ServerTS, and may give the
// message to receivers: it belongs to the engine from Append on, and nobody changes it any
// more.
type Entry struct {
	Conversation Conversation
	Message      *Message
}

// Result is what became of an Entry.
type Result struct {
	Change    Change // zero if there is an error
	Duplicate bool   // not stored again
	Err       error
}

// Change is something durable that happened in a conversation.
type Change struct {
	Number   uint64   // 1, 2, 3 … in the conversation
	Epoch    string   // of the conversation: numbers are comparable within one
	Seq      uint64   // of the message: 1, 2, 3 … among the messages
	ID       string   // of the message
	ServerTS int64    // of the message
	Message  *Message // nil in the Result of a duplicate
}

// Message is what somebody said.
type Message struct {
	Sender     string // user id
	SenderName string // as it was when the message was sent
	Timestamp  string // a JSON number, as the sender wrote it
	Content    string
	Metadata   []byte // a JSON object, as the sender wrote it
	Ref        string // "": none. Not returned by an engine
	ServerTS   int64  // ms since 1970; set by the engine
}

// Stored is a message with its place.
type Stored struct {
	Message
	ID  string
	Seq uint64
}

// Tail is the end of a conversation.
type Tail struct {
	Seq      uint64 // 0: no message yet
	Change   uint64
	ServerTS int64 // of the last message; 0 if there is none
	Epoch    string
}

// HistoryQuery asks for messages of one conversation that meet all four bounds.
type HistoryQuery struct {
	Conversation Conversation
	AfterSeq     uint64 // exclusive
	BeforeSeq    uint64 // exclusive; 0: no bound
	Since        int64  // server_ts in ms, inclusive
	Until        int64  // server_ts in ms, exclusive; 0: no bound
	Newest       bool   // take the last ones that fit, not the first
	Limit        int    // at least 1
}

// Page is part of a conversation, oldest first.
type Page struct {
	Messages []Stored
	Epoch    string
	More     bool // there are others within the bounds, beyond Limit
}

// RoomInfo is a room in a list.
type RoomInfo struct {
	Name     string
	Seq      uint64
	ServerTS int64
}

// RoomPlace is a place in the list of rooms: right after the room with this name, whose last
// message has this server_ts.
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

// User is somebody who may authenticate.
type User struct {
	ID      string
	Name    string // display name, as CleanName returns it
	Created int64  // ms since 1970
}
