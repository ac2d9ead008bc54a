package local

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"github.com/hawser-ws/hawser/chat"
)

// Members is a chat.Members of one process, in memory.
type Members struct {
	tell func(userID, room string, joined bool)
	may  func(ctx context.Context, userID string) error
	now  func() int64 // ms since 1970

	telling sync.Mutex // held from a change until the receivers were told, so that the last word is true

	mu sync.RWMutex
	// Guarded by mu.
	rooms map[string]*btree.Map[string, int64] // by user id: since when they are a member of which room
	users map[string]*btree.Map[string, int64] // by room: since when which user is a member
}

// NewMembers returns Members that report changes to tell, one after the other. may says whether
// a user may be a member of any room; now is the time, in ms since 1970.
func NewMembers(tell func(userID, room string, joined bool), may func(context.Context, string) error, now func() int64) *Members {
	return &Members{
		tell: tell, may: may, now: now,
		rooms: make(map[string]*btree.Map[string, int64]),
		users: make(map[string]*btree.Map[string, int64]),
	}
}

// Join implements chat.Members.
func (m *Members) Join(ctx context.Context, room, userID string) (changed bool, err error) {
	if err := cmp.Or(ctx.Err(), m.may(ctx, userID)); err != nil {
		return false, err
	}
	if !m.join(room, userID) {
		return false, nil
	}
	if err := m.may(ctx, userID); err != nil { // a user who lost that right meanwhile may have left all rooms before
		m.leave(room, userID)
		return false, err
	}
	return true, nil
}

func (m *Members) join(room, userID string) (changed bool) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	if of := m.rooms[userID]; of != nil {
		if _, is := of.Get(room); is {
			m.mu.Unlock()
			return false
		}
	}
	room, userID = strings.Clone(room), strings.Clone(userID) // they may be parts of a message
	since := m.now()
	insert(m.rooms, userID, room, since)
	insert(m.users, room, userID, since)
	m.mu.Unlock()
	m.tell(userID, room, true)
	return true
}

// Leave implements chat.Members.
func (m *Members) Leave(ctx context.Context, room, userID string) (changed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return m.leave(room, userID), nil
}

func (m *Members) leave(room, userID string) (changed bool) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	changed = remove(m.rooms, userID, room)
	remove(m.users, room, userID)
	m.mu.Unlock()
	if changed {
		m.tell(userID, room, false)
	}
	return changed
}

// LeaveAll ends all memberships of a user.
func (m *Members) LeaveAll(userID string) {
	m.mu.RLock()
	var rooms []string
	if of := m.rooms[userID]; of != nil {
		rooms = of.Keys()
	}
	m.mu.RUnlock()
	for _, room := range rooms {
		m.leave(room, userID)
	}
}

// IsMember implements chat.Members.
func (m *Members) IsMember(ctx context.Context, room, userID string) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	of := m.rooms[userID]
	if of == nil {
		return false, ctx.Err()
	}
	_, is := of.Get(room)
	return is, ctx.Err()
}

// RoomsOf implements chat.Members.
func (m *Members) RoomsOf(ctx context.Context, userID, after string, limit int) (rooms []chat.Membership, more bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	more = list(m.rooms[userID], after, limit, func(room string, since int64) {
		rooms = append(rooms, chat.Membership{Room: room, UserID: userID, Since: since})
	})
	return rooms, more, ctx.Err()
}

// MembersOf implements chat.Members.
func (m *Members) MembersOf(ctx context.Context, room, after string, limit int) (members []chat.Membership, more bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	more = list(m.users[room], after, limit, func(userID string, since int64) {
		members = append(members, chat.Membership{Room: room, UserID: userID, Since: since})
	})
	return members, more, ctx.Err()
}

func insert(in map[string]*btree.Map[string, int64], of, key string, since int64) {
	if in[of] == nil {
		in[of] = new(btree.Map[string, int64])
	}
	in[of].Set(key, since)
}

func remove(from map[string]*btree.Map[string, int64], of, key string) (was bool) {
	all := from[of]
	if all == nil {
		return false
	}
	if _, was = all.Delete(key); all.Len() == 0 {
		delete(from, of)
	}
	return was
}

// list calls each with at most limit entries after one, and reports whether there are more.
func list(all *btree.Map[string, int64], after string, limit int, each func(string, int64)) (more bool) {
	if all == nil {
		return false
	}
	n := 0
	all.Ascend(after, func(key string, since int64) bool {
		if key == after {
			return true
		}
		if n == limit {
			more = true
			return false
		}
		n++
		each(key, since)
		return true
	})
	return more
}
