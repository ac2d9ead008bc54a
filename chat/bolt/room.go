package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// minFree is how many bytes of the disk must be free: about what one large batch
	// of messages takes with the pages that it changes.
	minFree = 1 << 20

	// trialSize is how many bytes are written to find out whether there is room
	// again: more than most batches that had none.
	trialSize = 256 << 10

	// trialEvery is the minimum time between a failed write and a trial.
	trialEvery = time.Second
)

var bucketTrial = []byte("trial")

// room is what is known about the room on the disk.
type room struct {
	// Immutable. Replaced by tests.
	free func(dir string) (bytes uint64, ok bool) // ok is false if the system does not say
	now  func() time.Time

	missing atomic.Pointer[error] // why the last write failed, if that was for lack of room

	mu    sync.Mutex
	tried time.Time // Guarded by mu. When a write failed for lack of room last.
}

// wrote notes the result of a write: nil, or that there was no room for it.
func (r *room) wrote(err error) {
	if err == nil {
		r.missing.Store(nil)
		return
	}
	r.missing.Store(&err)
}

// Healthy returns why messages cannot be stored at the moment, in words for people:
// the store is closed for writing, the disk is full or nearly so, or the last write
// found no room and there has been none since. nil: they can be stored, as far as is
// known.
//
// A server that says so on a health probe may get no more messages, whose writing
// would show that there is room again. Healthy therefore writes something itself, at
// most once a second and only after a write that failed.
func (s *Store) Healthy() error {
	if err := s.Broken(); err != nil {
		return err
	}
	if free, ok := s.room.free(filepath.Dir(s.path)); ok && free < minFree {
		return fmt.Errorf("chat/bolt: the disk is full: %d KiB are free where %s is", free>>10, s.path)
	}
	missing := s.room.missing.Load()
	if missing == nil {
		return nil
	}
	if err := s.tryRoom(); err != nil {
		return fmt.Errorf("chat/bolt: the disk is full, or a quota or limit is reached: %w", *missing)
	}
	return nil
}

var errTooEarly = errors.New("chat/bolt: the last write failed a moment ago")

// tryRoom finds out whether there is room again.
func (s *Store) tryRoom() error {
	r := &s.room
	if !r.mu.TryLock() {
		return errTooEarly // another goroutine is trying
	}
	defer r.mu.Unlock()
	now := r.now()
	if now.Sub(r.tried) < trialEvery {
		return errTooEarly
	}
	r.tried = now
	err := s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketTrial)
		if err != nil {
			return err
		}
		return b.Put(bucketTrial, make([]byte, trialSize))
	})
	if err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketTrial) })
}
