package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// A user's record: userMark, flags, created, the time from which tokens are valid if that is
// flagged, and the name. Before format 3, all users were guests, and a record was created and
// the name: no number is written as userMark.
var userMark = []byte{0x80, 0x00}

const (
	flagGuest     = 0x01
	flagValidFrom = 0x02
)

func encodeUser(u *chat.User) []byte {
	flags := byte(0)
	if u.Guest {
		flags |= flagGuest
	}
	if u.ValidFrom != 0 {
		flags |= flagValidFrom
	}
	b := append(newRecord(20+len(u.Name)), userMark...)
	b = binary.AppendUvarint(append(b, flags), uint64(u.Created))
	if u.ValidFrom != 0 {
		b = binary.AppendUvarint(b, uint64(u.ValidFrom))
	}
	return sealed(bucketUsers, []byte(u.ID), append(b, u.Name...))
}

func decodeUser(id string, record []byte) (chat.User, error) {
	b, err := openRecord(bucketUsers, []byte(id), record)
	if err != nil {
		return chat.User{}, err
	}
	u := chat.User{ID: id}
	flags := byte(flagGuest)
	d := decoder{b: b}
	if rest, marked := bytes.CutPrefix(b, userMark); marked {
		d.b = rest
		if head := d.bytes(1); head != nil {
			flags = head[0]
		}
	}
	u.Guest, u.Created = flags&flagGuest != 0, int64(d.uvarint())
	if flags&flagValidFrom != 0 {
		u.ValidFrom = int64(d.uvarint())
	}
	u.Name = string(d.b)
	if d.bad {
		return chat.User{}, errDamaged
	}
	return u, nil
}

// PutUser implements chat.Directory.
func (s *Store) PutUser(ctx context.Context, u chat.User) error {
	return s.run(ctx, &job{
		change: func(tx *bbolt.Tx) error { return s.putUser(tx, &u) },
		then:   func() { s.broker.Renamed(u) },
	}, 0)
}

// ChangeUser implements chat.Directory.
func (s *Store) ChangeUser(ctx context.Context, id string, c chat.UserChange) (chat.User, error) {
	var u chat.User
	err := s.run(ctx, &job{
		change: func(tx *bbolt.Tx) error {
			record := tx.Bucket(bucketUsers).Get([]byte(id))
			if record == nil && !s.unsure.user(id) {
				return chat.ErrNotFound
			} else if record == nil {
				return fmt.Errorf("%w: the user %s is lost, or may be", errDamaged, id)
			}
			var err error
			if u, err = decodeUser(id, record); err != nil {
				return err
			}
			c.Apply(&u)
			return s.putUser(tx, &u)
		},
		then: func() { s.broker.Renamed(u) },
	}, 0)
	if err != nil {
		return chat.User{}, err
	}
	return u, nil
}

// User implements chat.Directory.
func (s *Store) User(ctx context.Context, id string) (u chat.User, err error) {
	err = s.view(ctx, chat.Conversation(id), func(r *reader) error {
		b := r.tx.Bucket(bucketUsers).Get([]byte(id))
		if b == nil && s.unsure.user(id) {
			return fmt.Errorf("%w: the user %s is lost, or may be", errDamaged, id)
		}
		if b == nil {
			return chat.ErrNotFound
		}
		if u, err = decodeUser(id, b); err != nil {
			r.s.damage.note(chat.Conversation(id), 0, err)
			return fmt.Errorf("%w: the user %s", err, id)
		}
		return nil
	})
	return u, err
}

// DeleteUser implements chat.Directory.
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	if err := errors.Join(ctx.Err(), s.Broken()); err != nil {
		return err
	}
	err := s.run(ctx, &job{change: func(tx *bbolt.Tx) error { return s.deleteUser(tx, id) }}, 0)
	if err != nil {
		return err
	}
	s.broker.Presence().Forget(id)
	if err = s.members.leaveAll(ctx, id); err == nil {
		_, err = s.sessions.End(ctx, id, "", chat.UserDeleted)
	}
	if err == nil { // the ended memberships and sessions are durable, too
		s.commits.flush()
		err = s.run(ctx, &job{change: func(*bbolt.Tx) error { return nil }}, 0)
	}
	if err != nil && !errors.Is(err, chat.ErrOutcomeUnknown) {
		err = fmt.Errorf("%w: %w", chat.ErrOutcomeUnknown, err)
	}
	return err
}

func (s *Store) deleteUser(tx *bbolt.Tx, id string) error {
	users, key := tx.Bucket(bucketUsers), []byte(id)
	record := users.Get(key)
	if record == nil && s.unsure.user(id) {
		return fmt.Errorf("%w: the user %s is lost, or may be", errDamaged, id)
	}
	if record == nil {
		return nil
	}
	u, err := decodeUser(id, record)
	if err != nil {
		return err
	}
	return errors.Join(
		tx.Bucket(bucketLooks).Delete(append(lookKey(u.Name), id...)),
		deleteCounted(users, key),
	)
}

// memberships are the members of the store's users.
type memberships struct{ *members }

// Join implements chat.Members.
func (m memberships) Join(ctx context.Context, room, userID string) (changed bool, err error) {
	if err := m.s.mayJoin(ctx, userID); err != nil {
		return false, err
	}
	changed, err = m.members.Join(ctx, room, userID)
	if !changed || err != nil {
		return changed, err
	}
	if err := m.s.mayJoin(ctx, userID); err != nil { // a user who lost that right meanwhile may have left all rooms before
		_, undone := m.Leave(context.WithoutCancel(ctx), room, userID)
		return false, errors.Join(err, undone)
	}
	return true, nil
}

// mayJoin returns an error if a user cannot be a member of any room.
func (s *Store) mayJoin(ctx context.Context, userID string) error {
	u, err := s.User(ctx, userID)
	if err == nil && u.Guest && !s.sessions.Any(userID) {
		err = chat.ErrNotFound
	}
	return err
}

// lastEnded ends the memberships of a guest without a session.
func (s *Store) lastEnded(userID string) {
	if s.Broken() != nil {
		return
	}
	ctx := context.Background()
	if u, err := s.User(ctx, userID); err == nil && u.Guest {
		if err := s.members.leaveAll(ctx, userID); err != nil {
			s.log.Error("the memberships of a guest who is gone could not be ended: they are when the store is opened again", "user", userID, "error", err)
		}
	}
}
