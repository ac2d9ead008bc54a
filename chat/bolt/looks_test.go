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

// A user whose record is lost is not created again: the looks of names distinguish the lost
// users from others, who can be stored and are known to be absent. If the looks are lost as
// well, any user may be a lost one.
func TestLostUser(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(*bbolt.Tx) error
		others bool // others can be distinguished from lost ones
	}{
		"missing": {func(tx *bbolt.Tx) error { return tx.Bucket(bucketUsers).Delete([]byte("u_ada")) }, true},
		"under another id": {func(tx *bbolt.Tx) error {
			users := tx.Bucket(bucketUsers)
			return errors.Join(copyTo(bucketUsers, []byte("u_ada"), []byte("u_adb"))(tx), users.Delete([]byte("u_ada")))
		}, true},
		"with the looks": {func(tx *bbolt.Tx) error {
			return errors.Join(tx.Bucket(bucketUsers).Delete([]byte("u_ada")), tx.Bucket(bucketLooks).Delete(append(lookKey("Ada"), "u_ada"...)))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir)
			ada, bob := chat.User{ID: "u_ada", Name: "Ada", Created: 1}, chat.User{ID: "u_bob", Name: "Bob", Created: 1}
			if err := errors.Join(s.PutUser(bg, ada), s.PutUser(bg, bob), s.Close(bg), change(s.path, c.damage)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // after another start, too
				s = mustOpen(t, dir)
				for _, name := range []string{"Ada", "Eve"} {
					if err := s.PutUser(bg, chat.User{ID: "u_ada", Name: name}); !errors.Is(err, errDamaged) {
						t.Errorf("the lost one is made anew as %s: %v", name, err)
					}
				}
				if u, err := s.User(bg, "u_ada"); !errors.Is(err, errDamaged) {
					t.Errorf("the lost one: %+v, %v", u, err)
				}
				if _, err := s.User(bg, "u_not"); errors.Is(err, chat.ErrNotFound) != c.others || err == nil {
					t.Errorf("one who was never there: %v", err)
				}
				if err := s.PutUser(bg, chat.User{ID: "u_eve", Name: "Eve"}); (err == nil) != c.others {
					t.Errorf("a new user: %v", err)
				}
				if err := s.PutUser(bg, chat.User{ID: "u_bob", Name: "Bobby", Created: 1}); err != nil || s.Broken() != nil {
					t.Errorf("a user who is there: %v, %v", err, s.Broken())
				}
				s.Close(bg)
			}
		})
	}
}
