package chat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"time"
)

// This file is the part of the contract of engines that is about users: memberships, sessions
// and bans.

// Members stores which users are members of which rooms. A member stays one while they are
// offline, and when the engine is opened again. Only the memberships of a guest (User.Guest)
// end with the guest's last session.
//
// What Join and Leave store is durable within a second; a message that is appended later is
// never durable before it. The receivers of all nodes to which the user is connected are told
// about every change (Receiver.Member).
type Members interface {
	// Join makes a user a member of a room, and Leave ends that. The room need not exist. The
	// error of Join is ErrNotFound if there is no such user, or it is a guest without a
	// session: so nothing is joined any more when a deletion, or the end of the last session,
	// has ended all memberships. changed says whether it was otherwise before.
	Join(ctx context.Context, room, userID string) (changed bool, err error)
	Leave(ctx context.Context, room, userID string) (changed bool, err error)

	// IsMember reports whether a user is a member of a room.
	IsMember(ctx context.Context, room, userID string) (bool, error)

	// RoomsOf lists at most limit rooms of which a user is a member, in byte order, after
	// the given name.
	RoomsOf(ctx context.Context, userID, after string, limit int) (rooms []Membership, more bool, err error)

	// MembersOf lists at most limit members of a room, in byte order of their ids, after
	// the given id.
	MembersOf(ctx context.Context, room, after string, limit int) (members []Membership, more bool, err error)
}

// Membership says that a user is a member of a room.
type Membership struct {
	Room, UserID string
	Since        int64 // ms since 1970
}

// SessionLife is the default of how long a session lives without a connection.
const SessionLife = 30 * time.Minute

// MaxSessions is the maximum number of sessions that a user has at a time.
const MaxSessions = 100

// Sessions stores log-ins. A session belongs to one user. It may have any number of connections,
// at once or one after the other, on any node. It lives until it is ended, until
// Session.Expires, or until it has been without a connection for as long as the engine says
// (SessionLife by default); connections of a process that has died do not count.
//
// What is stored is durable within a second.
type Sessions interface {
	// Begin stores a new session, which has one connection. A user has at most MaxSessions:
	// the one that was used last the longest ago gives way, if there is one without a
	// connection, and then it is the one that began first. After an error, Release is
	// called, too.
	Begin(ctx context.Context, s Session) error

	// Resume finds the session with this id if key is its key, gives it the key next, and
	// counts one more connection, from this address and device. The key that next replaces
	// stays good until next is used, since the answer that carries next may be lost. An engine
	// of several nodes may also let some earlier ones stay good that were given out for the same
	// key, until one of them is used: the nodes may be late. The error is ErrSessionRefused if there is no such session, or the key is another one.
	Resume(ctx context.Context, id string, key, next KeyHash, from Origin) (Session, error)

	// Release says that a connection of a session has ended. It must be called once for
	// each successful Begin and Resume. It does not block.
	Release(id string)

	// Life returns how long a session lives without a connection.
	Life() time.Duration

	// List lists the sessions of a user that are alive, the one that began last first.
	List(ctx context.Context, userID string) ([]Session, error)

	// End ends sessions of a user, and tells the receivers of all nodes: the session with
	// this id or, if id is "", all of them. n is how many there were.
	End(ctx context.Context, userID, id string, why Ending) (n int, err error)
}

// Session is a log-in.
type Session struct {
	ID, UserID string
	Key        KeyHash
	Features   []string // what its clients want to hear, as auth names it
	Role       string   // as its token named it; "": an ordinary user
	From       Origin   // of its newest connection
	Began      int64    // ms since 1970
	Seen       int64    // when a connection of it began or ended last, in ms since 1970
	Expires    int64    // in ms since 1970: never later than this; 0: no bound
	Open       int      // number of connections that are open now; ignored by Begin
}

// Origin is where a connection comes from, for display.
type Origin struct {
	Address string
	Device  string
}

// KeyHash is the SHA-256 of a session's secret key. The key itself is never stored.
type KeyHash [sha256.Size]byte

// Ending is why a session has ended.
type Ending uint8

const (
	LoggedOut   Ending = iota // its user has ended it
	UserBanned                // its user was banned
	UserDeleted               // its user was deleted
)

func (e Ending) String() string { return [...]string{"logged out", "banned", "deleted"}[e] }

// User is a user of the chat.
type User struct {
	ID      string
	Name    string // display name, as CleanName returns it
	Created int64  // ms since 1970

	// Guest: the memberships of the user end with their last session.
	Guest bool

	// ValidFrom is when the user logged out everywhere, in ms since 1970; 0: never. Tokens
	// that were issued before are refused.
	ValidFrom int64
}

// UserChange is what changes of a user. What is zero stays as it is.
type UserChange struct {
	Name      string
	ValidFrom int64 // never becomes less than it was
}

// Apply changes u.
func (c UserChange) Apply(u *User) {
	u.Name = cmp.Or(c.Name, u.Name)
	u.ValidFrom = max(c.ValidFrom, u.ValidFrom)
}
