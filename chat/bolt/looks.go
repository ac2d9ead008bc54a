package bolt

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// The bucket of looks finds the users whose names look alike. Its keys are
//
//	hash of chat.LookOf(name), name, 00, user id
//
// so that the names of one look lie side by side, and the users of one name within them.

var (
	bucketLooks = []byte("looks")

	// keyLooks holds the chat.LookVersion that the bucket was made with.
	keyLooks = []byte("looks")
)

const lookSize = 16 // bytes of the hash

// lookKey begins the keys of all users with this name.
func lookKey(name string) []byte {
	sum := sha256.Sum256([]byte(chat.LookOf(name)))
	return append(append(sum[:lookSize:lookSize], name...), 0)
}

// putUser stores a user. A name that the user already has is not checked, so that one
// that is older than a rule stays. A user whose record is lost is not created again.
func (s *Store) putUser(tx *bbolt.Tx, u *chat.User) error {
	users, looks := tx.Bucket(bucketUsers), tx.Bucket(bucketLooks)
	before, known := chat.User{}, false
	if b := users.Get([]byte(u.ID)); b != nil {
		var err error
		if before, err = decodeUser(u.ID, b); err != nil {
			return err
		}
		known = true
	} else if s.unsure.user(u.ID) {
		return fmt.Errorf("%w: the user %s is lost, or may be", errDamaged, u.ID)
	}
	if !known || before.Name != u.Name {
		taken, err := isTaken(looks, u)
		if err != nil {
			return err
		}
		if taken {
			return fmt.Errorf("chat/bolt: %w", chat.ErrNameTaken)
		}
		if known {
			if err := looks.Delete(append(lookKey(before.Name), u.ID...)); err != nil {
				return err
			}
		}
		if err := putLook(looks, u); err != nil {
			return err
		}
	}
	if !known {
		if _, err := users.NextSequence(); err != nil { // how many there are
			return err
		}
	}
	u.ValidFrom = max(u.ValidFrom, before.ValidFrom)
	return users.Put([]byte(u.ID), encodeUser(u))
}

// isTaken reports whether another user has a name that looks like u's and is not the
// same. It looks at three keys at most, however many users share a name.
func isTaken(looks *bbolt.Bucket, u *chat.User) (bool, error) {
	same := lookKey(u.Name)
	c := looks.Cursor()
	k, v := c.Seek(same[:lookSize])
	for bytes.HasPrefix(k, same[:lookSize]) {
		if err := checkMark(bucketLooks, k, v); err != nil {
			return false, err
		}
		_, id, _ := bytes.Cut(k[lookSize:], []byte{0})
		switch {
		case bytes.HasPrefix(k, same): // on to the first after all users of this name
			after := bytes.Clone(same)
			after[len(after)-1] = 1
			k, v = c.Seek(after)
		case string(id) == u.ID:
			k, v = c.Next()
		default:
			return true, nil
		}
	}
	return false, nil
}

// lostUsers are the ids of users that have a look and no record.
func lostUsers(tx *bbolt.Tx) map[string]bool {
	lost := make(map[string]bool)
	users, c := tx.Bucket(bucketUsers), tx.Bucket(bucketLooks).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if _, id, ok := bytes.Cut(k[lookSize:], []byte{0}); ok && users.Get(id) == nil {
			lost[string(id)] = true
		}
	}
	return lost
}

func putLook(looks *bbolt.Bucket, u *chat.User) error {
	key := append(lookKey(u.Name), u.ID...)
	return looks.Put(key, mark(bucketLooks, key))
}

// hasLooks reports whether the bucket exists, and was made by the current rules.
func hasLooks(tx *bbolt.Tx) bool {
	version, err := getMeta(tx, keyLooks)
	return err == nil && string(version) == chat.LookVersion
}

// makeLooks makes the bucket from the users.
func makeLooks(tx *bbolt.Tx) error {
	if err := emptyBucket(tx, bucketLooks); err != nil {
		return err
	}
	looks := tx.Bucket(bucketLooks)
	err := tx.Bucket(bucketUsers).ForEach(func(id, b []byte) error {
		u, err := decodeUser(string(id), b)
		if err != nil {
			return err
		}
		return putLook(looks, &u)
	})
	if err != nil {
		return err
	}
	return putMeta(tx, keyLooks, []byte(chat.LookVersion))
}

// updateLooks makes the bucket if an older program wrote the file.
func (s *Store) updateLooks() error {
	made := false
	if err := s.db.View(func(tx *bbolt.Tx) error { made = hasLooks(tx); return nil }); err != nil || made {
		return err
	}
	if err := s.db.Update(makeLooks); err != nil {
		return fmt.Errorf("chat/bolt: %s: finding names that look alike: %w", s.path, err)
	}
	return nil
}
