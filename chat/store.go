package chat

import (
	"errors"
	"time"
)

// RefLifetime is how long a ref keeps a message from being stored twice.
const RefLifetime = 24 * time.Hour

// ErrNotFound is the error of a Store for what it does not hold.
var ErrNotFound = errors.New("chat: not found")

// ErrOutcomeUnknown is the error, perhaps wrapped, of a Store that tried to write and
// cannot tell whether it succeeded: what was to be stored may be there when the store is
// opened again. With any other error nothing was stored.
var ErrOutcomeUnknown = errors.New("chat: it is not known what was stored")

// ErrNameTaken is the error of a Store for a user whose name looks like that of another
// user and is not the same.
var ErrNameTaken = errors.New("chat: the name looks like that of another user")

// Store keeps messages, rooms and users. The contract is proved for an
// implementation by chat/storetest.
//
// Atomicity: Commit takes effect as a whole or not at all, and PutUser likewise.
// No method shows anything of a Commit that has not returned nil.
//
// Durability: when Commit or PutUser returns nil, what it did survives the
// process, and the machine. Where an error leaves that in doubt, as a failed sync does,
// it is an ErrOutcomeUnknown, and the store is closed for writing: every later Commit and
// PutUser fails, and reading goes on.
//
// Order: within a conversation seq is 1, 2, 3 … in the order of the entries. server_ts
// is what the caller gives. It may go back, which happens after a clock was wrong, and
// queries by time are exact all the same.
//
// Concurrency: Commit is called by one goroutine at a time, everything else by
// any number, also during a Commit. Reads do not wait for a Commit.
//
// Ownership: the store keeps nothing that it is given, and what it returns belongs to
// the caller.
type Store interface {
	// Info describes the store's data. It does not block.
	Info() StoreInfo

	// Commit stores the messages of a batch, each of which makes its conversation if that
	// does not exist yet, and sets the result fields of each entry.
	Commit(batch []Entry) error

	// Last is the end of a conversation; ErrNotFound if it does not exist.
	Last(Conversation) (Tail, error)

	// Locate is the seq of the message with this id in this conversation;
	// ErrNotFound if it has no such message, wherever else there may be one.
	Locate(c Conversation, id string) (seq uint64, err error)

	// History reads part of a conversation. One that does not exist is empty.
	History(HistoryQuery) (Page, error)

	// Rooms lists at most limit rooms whose names contain search, in upper or lower case,
	// those with the newest messages first and otherwise by name, after the given
	// place; the zero place is before the first. next is where to go on, or the zero place
	// if there are no others. A long search may return fewer, or none, and a next.
	Rooms(after RoomPlace, search string, limit int) (rooms []RoomInfo, next RoomPlace, err error)

	// Peers lists at most limit people who share a private conversation with
	// user, in byte order of their ids, after the given id.
	Peers(user, after string, limit int) (peers []PeerState, more bool, err error)

	// PutUser stores a new user, or replaces one. It stores nothing and returns
	// ErrNameTaken if the name is new to the user, and another user has a name with the
	// same look (LookOf) that is not the same. Many users may have the same name.
	PutUser(User) error

	// User is the user with this id, or ErrNotFound.
	User(id string) (User, error)
}

// StoreInfo describes a store's data.
type StoreInfo struct {
	Epoch        string // made with the data, and never changed
	LastServerTS int64  // of the newest message, in ms; 0 if there is none
}

// Entry is one element of a batch.
type Entry struct {
	// Given to Commit.
	Conversation Conversation
	Message      *Message

	// Set by Commit.
	ID        string // of the message
	Seq       uint64 // of the message
	ServerTS  int64  // of the message
	Duplicate bool   // not stored again: an earlier message with this sender and ref, here and within RefLifetime, has this ID, Seq and ServerTS
	Last      uint64 // seq of the conversation's last message, after this entry
}

// Message is what somebody said. Its id, seq and conversation are those of the
// Entry or HistoryQuery that it belongs to, so that Commit need not write to it.
type Message struct {
	Sender     string // user id
	SenderName string // as it was when the message was sent
	Timestamp  string // a JSON number, as the sender wrote it
	Content    string
	Metadata   []byte // a JSON object, as the sender wrote it
	Ref        string // "": none. Not returned by History
	ServerTS   int64  // ms since 1970
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
	ServerTS int64  // of the last message; 0 if there is none
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
	More     bool // there are others within the bounds, beyond Limit
}

// RoomInfo is a room in a list.
type RoomInfo struct {
	Name string
	Tail
}

// RoomPlace is a place in the list of rooms: right after the room with this name, whose last
// message has this server_ts.
type RoomPlace struct {
	ServerTS int64
	Name     string
}

// PeerState is the other person of a private conversation, in a list.
type PeerState struct {
	UserID string
	Tail
}

// User is somebody who may authenticate.
type User struct {
	ID      string
	Name    string // display name, as CleanName returns it
	Created int64  // ms since 1970
}
