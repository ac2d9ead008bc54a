package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// listed is a membership in the list of those of a user or of a room.
type listed struct {
	other  string // the room, or the user
	since  int64
	member bool
}

// RoomsOf implements chat.Members.
func (m *members) RoomsOf(ctx context.Context, userID, after string, limit int) (rooms []chat.Membership, more bool, err error) {
	rooms = make([]chat.Membership, 0, min(limit, someListed))
	more, err = m.list(ctx, bucketMemberships, m.byUser, userID, after, limit, func(room string, since int64) {
		rooms = append(rooms, chat.Membership{Room: room, UserID: userID, Since: since})
	})
	return rooms, more, err
}

// MembersOf implements chat.Members.
func (m *members) MembersOf(ctx context.Context, room, after string, limit int) (members []chat.Membership, more bool, err error) {
	members = make([]chat.Membership, 0, min(limit, someListed))
	more, err = m.list(ctx, bucketMembers, m.byRoom, room, after, limit, func(userID string, since int64) {
		members = append(members, chat.Membership{Room: room, UserID: userID, Since: since})
	})
	return members, more, err
}

// someListed is for how many there is room in a list at first.
const someListed = 16

// list calls each with at most limit memberships of a user or room after one. Memory is read
// first: memberships that are no longer there are on disk.
func (m *members) list(ctx context.Context, bucket []byte, in lately, of, after string, limit int, each func(other string, since int64)) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	fresh := m.after(in, of, after, limit)
	n := 0
	err = m.s.view(ctx, chat.Conversation(of), func(r *reader) error {
		c := memberCursor{s: m.s, bucket: bucket, prefix: memberKey(of, ""), c: r.tx.Bucket(bucket).Cursor()}
		stored, ok := c.after(after)
		for ok || len(fresh) > 0 {
			var l listed
			if len(fresh) > 0 && (!ok || fresh[0].other <= stored.other) { // it overrides what is on disk
				l, fresh = fresh[0], fresh[1:]
				if ok && l.other == stored.other {
					stored, ok = c.next()
				}
			} else {
				l = stored
				stored, ok = c.next()
			}
			if !l.member {
				continue
			}
			if more = n == limit; more {
				return nil
			}
			each(l.other, l.since)
			n++
		}
		return nil
	})
	return more, err
}

// after are the recently changed memberships of one user or room, as far as a list of at
// most limit can need them.
func (m *members) after(in lately, of, after string, limit int) (fresh []listed) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := in[of]
	if all == nil {
		return nil
	}
	n := 0
	all.Ascend(after, func(other string, f *freshMember) bool {
		if other == after {
			return true
		}
		fresh = append(fresh, listed{other, f.Since, f.member})
		if f.member {
			n++
		}
		return n <= limit
	})
	return fresh
}

// memberCursor reads the memberships of a user or of a room that are on disk, except those
// whose records are damaged.
type memberCursor struct {
	s              *Store
	bucket, prefix []byte
	c              *bbolt.Cursor
}

// after is the first one after another.
func (c *memberCursor) after(other string) (l listed, ok bool) {
	from := append(bytes.Clone(c.prefix), other...)
	k, v := c.c.Seek(from)
	if bytes.Equal(k, from) {
		k, v = c.c.Next()
	}
	return c.whole(k, v)
}

func (c *memberCursor) next() (l listed, ok bool) {
	k, v := c.c.Next()
	return c.whole(k, v)
}

// whole is the membership with this record, or the next one whose record is not damaged.
func (c *memberCursor) whole(k, v []byte) (l listed, ok bool) {
	for ; bytes.HasPrefix(k, c.prefix); k, v = c.c.Next() {
		since, err := decodeMember(c.bucket, k, v)
		if err == nil {
			return listed{string(k[len(c.prefix):]), since, true}, true
		}
		c.s.damage.note(chat.Conversation(k), 0, err)
	}
	return listed{}, false
}
