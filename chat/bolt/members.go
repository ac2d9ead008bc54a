package bolt

import (
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"github.com/hawser-ws/hawser/chat"
)

// members is a chat.Members. Recent changes are in memory, and override what is on disk:
//
//	Join, Leave  in memory at once, and the receivers are told
//	then         with the next transaction, whatever that is about, but within flushAfter: in
//	             the bucket of joins, as one record for all of them
//	checkpoint   when there are many: each in its two records, and gone from memory
//
// So joining does not wait for the disk, and a transaction writes one more page, not two for
// each membership.
type members struct {
	s *Store

	// Held from a change of a membership until the receivers were told, so that they hear of
	// changes in order. By user.
	telling [64]sync.Mutex
	seed    maphash.Seed

	mu sync.RWMutex
	// Guarded by mu.
	byUser  lately
	byRoom  lately
	count   int            // of memberships in each
	dirty   []*freshMember // not yet in joins; those that are not dirty do not count
	retired uint64         // how often some were taken out
	closed  bool
}

// lately are the recently changed memberships, by user and room, or by room and user.
type lately map[string]*btree.Map[string, *freshMember]

// freshMember is a membership that has changed recently.
type freshMember struct {
	memberChange        // the last one
	version      uint64 // how often it has changed
	dirty        bool   // not yet in joins
}

// membersEvery is about how many memberships there may be in memory, and maxDirty is how many
// dirty ones there may be before they get a transaction of their own.
const (
	membersEvery = 8192
	maxDirty     = 1024
)

func newMembers(s *Store) *members {
	return &members{s: s, seed: maphash.MakeSeed(), byUser: make(lately), byRoom: make(lately)}
}

func (l lately) get(of, other string) *freshMember {
	if all := l[of]; all != nil {
		f, _ := all.Get(other)
		return f
	}
	return nil
}

func (l lately) set(of, other string, f *freshMember) {
	if l[of] == nil {
		l[of] = new(btree.Map[string, *freshMember])
	}
	l[of].Set(other, f)
}

func (l lately) remove(of, other string) {
	all := l[of]
	if all.Delete(other); all.Len() == 0 {
		delete(l, of)
	}
}

// Join implements chat.Members.
func (m *members) Join(ctx context.Context, room, userID string) (changed bool, err error) {
	if missing := m.s.room.missing.Load(); missing != nil {
		return false, *missing
	}
	return m.set(ctx, room, userID, true)
}

// Leave implements chat.Members.
func (m *members) Leave(ctx context.Context, room, userID string) (changed bool, err error) {
	return m.set(ctx, room, userID, false)
}

func (m *members) set(ctx context.Context, room, userID string, member bool) (changed bool, err error) {
	if err := errors.Join(ctx.Err(), m.s.Broken()); err != nil {
		return false, err
	}
	order := &m.telling[maphash.String(m.seed, userID)%uint64(len(m.telling))]
	for known := false; !known; {
		is, retired, err := m.look(ctx, room, userID)
		if err != nil {
			return false, err
		}
		order.Lock()
		changed, known, err = m.change(room, userID, is, retired, member)
		if changed {
			m.s.broker.Member(userID, room, member)
		}
		order.Unlock()
		if err != nil {
			return false, err
		}
	}
	if _, dirty := m.fresh(); dirty >= maxDirty {
		m.s.commits.flush()
	} else if changed {
		m.s.soon()
	}
	return changed, nil
}

// look finds out whether a user is a member, and how often some were taken out of memory
// before.
func (m *members) look(ctx context.Context, room, userID string) (is bool, retired uint64, err error) {
	m.mu.RLock()
	f := m.byUser.get(userID, room)
	retired = m.retired
	if f != nil {
		is = f.member
	}
	m.mu.RUnlock()
	if f == nil {
		is, err = m.onDisk(ctx, room, userID)
	}
	return is, retired, err
}

// onDisk reports whether a user is a member by what is on disk. A damaged record counts as
// none: another may take its place.
func (m *members) onDisk(ctx context.Context, room, userID string) (is bool, err error) {
	key := memberKey(userID, room)
	err = m.s.view(ctx, chat.Conversation(key), func(r *reader) error {
		if v := r.tx.Bucket(bucketMemberships).Get(key); v != nil {
			_, err := decodeMember(bucketMemberships, key, v)
			if is = err == nil; !is {
				m.s.damage.note(chat.Conversation(key), 0, err)
			}
		}
		return nil
	})
	return is, err
}

// change changes a membership if it is different now. If the state on disk was read before
// some memberships were taken out of memory, it does not count, and known is false.
func (m *members) change(room, userID string, is bool, retired uint64, member bool) (changed, known bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.byUser.get(userID, room)
	switch {
	case m.closed:
		return false, true, errClosed
	case f != nil:
		is = f.member
	case retired != m.retired:
		return false, false, nil
	}
	if is == member {
		return false, true, nil
	}
	c := memberChange{chat.Membership{Room: room, UserID: userID}, member}
	if member {
		c.Since = m.s.time.Now()
	}
	m.put(f, c)
	return true, true, nil
}

// put puts a change into memory; f is the membership if it has changed recently. Called with
// mu held.
func (m *members) put(f *freshMember, c memberChange) {
	f = m.keep(f, c)
	f.version++
	if !f.dirty {
		f.dirty = true
		m.dirty = append(m.dirty, f)
	}
}

func (m *members) keep(f *freshMember, c memberChange) *freshMember {
	if f == nil {
		c.Room, c.UserID = strings.Clone(c.Room), strings.Clone(c.UserID) // they may be parts of a message
		f = &freshMember{memberChange: c}
		m.byUser.set(c.UserID, c.Room, f)
		m.byRoom.set(c.Room, c.UserID, f)
		m.count++
	}
	f.member, f.Since = c.member, c.Since
	return f
}

// leaveAll ends all memberships of a user.
func (m *members) leaveAll(ctx context.Context, userID string) error {
	for more := true; more; {
		var rooms []chat.Membership
		var err error
		if rooms, more, err = m.RoomsOf(ctx, userID, "", 1000); err != nil {
			return err
		}
		for _, r := range rooms {
			if _, err := m.set(ctx, r.Room, userID, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// IsMember implements chat.Members.
func (m *members) IsMember(ctx context.Context, room, userID string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	is, _, err := m.look(ctx, room, userID)
	return is, err
}
