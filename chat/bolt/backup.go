package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// A backup is a store's file with an additional bucket, which contains the key of the
// users' tokens and says what the file is:
//
//   - Seal turns a copy into a backup. Open refuses a backup: a server that used it would
//     assign seqs in an epoch that has continued elsewhere.
//   - Revive turns a backup into a store again, with a new epoch. It gets its name by one
//     rename, with the key still in it.
//   - The program that opens the store then finds UnpackedKey, writes that key to its file,
//     and calls KeyInstalled, which deletes the bucket. After a crash before that, the next
//     program that opens the store does it.
var (
	bucketBackup = []byte("backup")
	keyState     = []byte("state")
	keyToken     = []byte("token.key")

	stateSealed  = "sealed"
	stateRevived = "revived"
)

// Snapshot is the state of a store at one moment, between two commits. While it is open, the
// pages that commits free are not reused, so the file grows with every write.
type Snapshot struct {
	tx    *bbolt.Tx
	size  int64
	close func() error // closes the file, if it is the snapshot's own
}

// Snapshot returns a snapshot of the store. The caller must close it soon: the Store's Close
// waits for that.
func (s *Store) Snapshot() (*Snapshot, error) {
	s.writing.Lock() // so that no commit is half synced
	defer s.writing.Unlock()
	tx, err := s.db.Begin(false)
	if err != nil {
		return nil, fmt.Errorf("chat/bolt: %s: %w", s.path, err)
	}
	return &Snapshot{tx, tx.Size(), func() error { return nil }}, nil
}

// OpenSnapshot returns a snapshot of the store in dir, which no server may have open, and none
// can open until the snapshot is closed. The error is an *InUseError if a server has it open.
// It does not modify the store.
func OpenSnapshot(dir string) (*Snapshot, error) {
	s, err := openReadOnly(filepath.Join(dir, FileName))
	if err != nil {
		return nil, err
	}
	if err := s.guard(func() error { return s.refuseBackup(s.path) }); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	snapshot, err := s.Snapshot()
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	snapshot.close = s.db.Close
	return snapshot, nil
}

// openReadOnly opens an existing store or backup.
func openReadOnly(path string) (*Store, error) {
	s := newStore(path, checkpointEvery, slog.New(slog.DiscardHandler))
	err := s.guard(func() (err error) {
		if s.db, err = openFile(path, bbolt.Options{Timeout: lockTimeout, ReadOnly: true}); err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		if err := s.db.View(s.readMeta); err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		return nil
	})
	if errors.Is(err, berrors.ErrTimeout) {
		err = &InUseError{path}
	}
	if err != nil && s.db != nil {
		s.db.Close()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Size is how many bytes WriteTo will write.
func (sn *Snapshot) Size() int64 { return sn.size }

// WriteTo writes the snapshot as a store's file.
func (sn *Snapshot) WriteTo(w io.Writer) (int64, error) { return sn.tx.WriteTo(w) }

// Close ends the snapshot.
func (sn *Snapshot) Close() error { return errors.Join(sn.tx.Rollback(), sn.close()) }

// refuseBackup refuses a backup that was put in a store's place.
func (s *Store) refuseBackup(path string) error {
	if state, _ := s.backup(); state == stateSealed {
		return fmt.Errorf("chat/bolt: %s is a backup and not a store; restore it with \"hawser restore\"", path)
	}
	return nil
}

// backup reads the bucket of a backup; state is empty if there is none.
func (s *Store) backup() (state string, tokenKey []byte) {
	s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket(bucketBackup); b != nil {
				state, tokenKey = readBackup(b)
			}
			return nil
		})
	})
	return state, tokenKey
}

// readBackup reads the bucket. A file whose bucket is damaged counts as an unusable backup.
func readBackup(b *bbolt.Bucket) (state string, tokenKey []byte) {
	if string(b.Tx().Bucket(bucketMeta).Get(keyFormat)) == oldFormat {
		return string(b.Get(keyState)), bytes.Clone(b.Get(keyToken))
	}
	value, err := openRecord(bucketBackup, keyState, b.Get(keyState))
	key, err2 := openRecord(bucketBackup, keyToken, b.Get(keyToken))
	if errors.Join(err, err2) != nil {
		return stateSealed, nil
	}
	return string(value), bytes.Clone(key)
}

// putBackup writes it.
func putBackup(tx *bbolt.Tx, state string, tokenKey []byte) error {
	if _, err := tx.CreateBucketIfNotExists(bucketBackup); err != nil {
		return err
	}
	return errors.Join(putSealed(tx, bucketBackup, keyState, []byte(state)), putSealed(tx, bucketBackup, keyToken, tokenKey))
}

// Seal turns the copy of a store in path, which must not be open, into a backup with tokenKey,
// the contents of the key's file. It syncs the file.
func Seal(path string, tokenKey []byte) error {
	return change(path, func(tx *bbolt.Tx) error {
		return putBackup(tx, stateSealed, tokenKey)
	})
}

// Revive makes a store of the copy of a backup in path, with a new epoch, because clients may
// know messages of the old one that the backup does not have. It is synced.
func Revive(path string) error {
	return change(path, func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketBackup)
		if b == nil {
			return errors.New("it is not a backup")
		}
		return errors.Join(putSealed(tx, bucketBackup, keyState, []byte(stateRevived)), putMeta(tx, keyEpoch, newEpoch()))
	})
}

func change(path string, f func(*bbolt.Tx) error) error {
	s := &Store{path: path}
	return s.guard(func() error {
		if _, err := checkPages(path); err != nil { // bbolt would write over what is not free
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		db, err := openFile(path, bbolt.Options{Timeout: lockTimeout})
		if err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		// One of the two meta pages of a copy may be older than the previous transaction, so
		// both are written again.
		if err := errors.Join(db.Update(f), db.Update(func(*bbolt.Tx) error { return nil }), db.Close()); err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		return nil
	})
}

// Replace gives the file in temp, which lies in dir, the name of dir's store, at
// once or not at all. If overwrite is not set, there must not be one. No process may have the
// existing one open: the caller holds Lock.
func Replace(temp, dir string, overwrite bool) error {
	path := filepath.Join(dir, FileName)
	name := os.Link
	if overwrite {
		name = os.Rename
	}
	if err := name(temp, path); err != nil {
		return fmt.Errorf("chat/bolt: %w", err)
	}
	return syncDir(dir)
}

// TempName is the name in dir for a file that will be passed to Replace.
func TempName(dir, unique string) string {
	return filepath.Join(dir, FileName+".restore-"+unique)
}

// UnpackedKey is the token key that came with a backup and has not been installed yet. nil:
// there is none.
func (s *Store) UnpackedKey() []byte {
	if state, key := s.backup(); state == stateRevived {
		return key
	}
	return nil
}

// KeyInstalled says that the UnpackedKey has been installed.
func (s *Store) KeyInstalled() error {
	return s.update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketBackup) })
}

// KeyID returns the identifier of the key that signs the tokens of the users in the store; ""
// before SetKeyID was called.
func (s *Store) KeyID() string { return s.key }

// SetKeyID stores the identifier of the key that signs the tokens of the users in the store.
func (s *Store) SetKeyID(id string) error {
	err := s.update(func(tx *bbolt.Tx) error { return putMeta(tx, keyKeyID, []byte(id)) })
	if err == nil {
		s.key = id
	}
	return err
}

// HasUsers reports whether there are users in the store.
func (s *Store) HasUsers() (has bool, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(bucketUsers).Cursor().First()
			has = k != nil
			return nil
		})
	})
	return has, err
}

// lockPatience is how long Lock waits.
const lockPatience = 100 * time.Millisecond
