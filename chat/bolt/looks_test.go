package bolt

import (
	"errors"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// A file that was written before there were looks, or by other rules, gets them when it
// is opened. Names in it that would be refused today are kept.
func TestLooksAreMade(t *testing.T) {
	for name, spoil := range map[string]func(*bbolt.Tx) error{
		"none": func(tx *bbolt.Tx) error {
			return errors.Join(emptyBucket(tx, bucketLooks), tx.Bucket(bucketMeta).Delete(keyLooks))
		},
		"others": func(tx *bbolt.Tx) error {
			return errors.Join(tx.Bucket(bucketLooks).Put([]byte("x"), nil), putMeta(tx, keyLooks, []byte("0")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir)
			err := s.db.Update(func(tx *bbolt.Tx) error {
				users := tx.Bucket(bucketUsers)
				for id, name := range map[string]string{"u_1": "Paul", "u_2": "PauI", "u_3": "\u3164"} {
					if err := users.Put([]byte(id), encodeUser(&chat.User{ID: id, Name: name})); err != nil {
						return err
					}
				}
				if err := users.SetSequence(3); err != nil {
					return err
				}
				return spoil(tx)
			})
			if err := errors.Join(err, s.Close(bg)); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir)
			for _, u := range []chat.User{{ID: "u_1", Name: "Paul", Created: 1}, {ID: "u_2", Name: "PauI", Created: 1}, {ID: "u_3", Name: "\u3164", Created: 1}} {
				if err := s.PutUser(bg, u); err != nil {
					t.Errorf("%s keeps the name: %v", u.ID, err)
				}
				if got, err := s.User(bg, u.ID); got != u || err != nil {
					t.Errorf("%+v, %v; want %+v", got, err, u)
				}
			}
			for _, name := range []string{"Paul", "PauI", "Pau1"} {
				if err := s.PutUser(bg, chat.User{ID: "u_4", Name: name}); !errors.Is(err, chat.ErrNameTaken) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if err := s.PutUser(bg, chat.User{ID: "u_4", Name: "Eve"}); err != nil || s.Broken() != nil {
				t.Errorf("after refusals: %v, %v", err, s.Broken())
			}
		})
	}
}
