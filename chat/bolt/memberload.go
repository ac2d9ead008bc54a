package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

var errJoins = fmt.Errorf("%w: some of the memberships that began or ended last are lost, or are there again", errDamaged)

// readJoins reads the changes of memberships since their records were written. If some are
// missing, only these are lost.
func (s *Store) readJoins(tx *bbolt.Tx) error {
	placed, err := getMeta(tx, keyPlaced)
	if err == nil && placed != nil && len(placed) != 8 {
		err = errDamaged
	}
	if err != nil {
		s.damage.note(chat.Conversation(bucketJoins), 0, err)
	} else if placed != nil {
		s.joins = binary.BigEndian.Uint64(placed)
	}
	b := tx.Bucket(bucketJoins)
	c := b.Cursor()
	for k, v := c.Seek(numberKey(s.joins + 1)); k != nil; k, v = c.Next() {
		changes, err := decodeJoins(k, v)
		if err != nil || !bytes.Equal(k, numberKey(s.joins+1)) {
			s.damage.note(chat.Conversation(bucketJoins), 0, errJoins)
		}
		if len(k) == 8 {
			s.joins = binary.BigEndian.Uint64(k)
		}
		for _, c := range changes {
			s.members.stored(c)
		}
	}
	if s.joins != b.Sequence() {
		s.damage.note(chat.Conversation(bucketJoins), 0, errJoins)
	}
	s.joins = b.Sequence()
	return nil
}

// readMembers reads all memberships that are on disk, in the background, to find out whether
// some are missing. A guest who is a member and has no session is no longer a member: the
// process ended before that could be written.
func (s *Store) readMembers(ctx context.Context) {
	s.members.mu.RLock()
	users := slices.Collect(maps.Keys(s.members.byUser))
	s.members.mu.RUnlock()
	for _, bucket := range [][]byte{bucketMemberships, bucketMembers} {
		s.view(ctx, chat.Conversation(bucket), func(r *reader) error { return r.countMembers(bucket) })
	}
	for after := ""; ; {
		if s.Broken() == nil {
			s.sessions.Absent(users)
		}
		err := s.view(ctx, chat.Conversation(bucketMemberships), func(r *reader) error {
			users = r.usersAfter(after, 1000)
			return nil
		})
		if err != nil || len(users) == 0 {
			return
		}
		after = users[len(users)-1]
	}
}

// countMembers finds out whether memberships are missing from a bucket, or damaged, or cannot be looked up,
// each by itself and as a list: in a page above them one bit may be wrong.
func (r *reader) countMembers(bucket []byte) error {
	b := r.tx.Bucket(bucket)
	count, lost := uint64(0), 0
	c, find := b.Cursor(), b.Cursor()
	var last []byte
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if count++; count%1000 == 0 && r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		if _, err := decodeMember(bucket, k, v); err != nil {
			r.s.damage.note(chat.Conversation(k), 0, err)
		}
		of, _, _ := bytes.Cut(k, []byte{0})
		sought := k
		if !bytes.Equal(of, last) { // as by a list, from its first one on
			last, sought = of, k[:min(len(of)+1, len(k))]
		}
		for _, key := range [][]byte{sought, k} {
			if found, _ := find.Seek(key); !bytes.Equal(found, k) {
				lost++
				break
			}
		}
	}
	if lost > 0 {
		r.s.damage.note(chat.Conversation(bucket), 0, fmt.Errorf("%w: in the bucket %q %d memberships cannot be looked up", errDamaged, bucket, lost))
	}
	if count != b.Sequence() {
		r.s.damage.note(chat.Conversation(bucket), 0, fmt.Errorf("%w: in the bucket %q there are %d memberships of %d", errDamaged, bucket, count, b.Sequence()))
	}
	return nil
}

// usersAfter are at most n users after one that have memberships on disk.
func (r *reader) usersAfter(after string, n int) (users []string) {
	c := r.tx.Bucket(bucketMemberships).Cursor()
	for len(users) < n {
		k, _ := c.Seek(append([]byte(after), 1)) // after all rooms of this one
		user, _, ok := bytes.Cut(k, []byte{0})
		if !ok || string(user) <= after { // also if a page is damaged
			break
		}
		after = string(user)
		users = append(users, after)
	}
	return users
}
