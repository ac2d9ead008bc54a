package bolt

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// stored puts a change that is in the bucket of joins into memory, when the file is opened.
func (m *members) stored(c memberChange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(m.byUser.get(c.UserID, c.Room), c)
}

// unsavedMember is a membership as it was when a transaction began that writes it.
type unsavedMember struct {
	memberChange
	of      *freshMember
	version uint64
}

// take returns the memberships that joins does not have, for a transaction that puts them
// there.
func (m *members) take() (taken []unsavedMember) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.dirty {
		if f.dirty {
			f.dirty = false
			taken = append(taken, unsavedMember{f.memberChange, f, f.version})
		}
	}
	m.dirty = nil
	return taken
}

// putBack undoes take, as the transaction has failed.
func (m *members) putBack(taken []unsavedMember) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range taken {
		if !t.of.dirty {
			t.of.dirty = true
			m.dirty = append(m.dirty, t.of)
		}
	}
}

// all are the memberships in memory.
func (m *members) all() []unsavedMember {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]unsavedMember, 0, m.count)
	for _, of := range m.byUser {
		of.Scan(func(_ string, f *freshMember) bool {
			all = append(all, unsavedMember{f.memberChange, f, f.version})
			return true
		})
	}
	return all
}

// retire takes those out of memory that are on disk, and have not changed again.
func (m *members) retire(written []unsavedMember) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retired++
	for _, w := range written {
		if f := w.of; f.version == w.version {
			f.dirty = false
			m.byUser.remove(f.UserID, f.Room)
			m.byRoom.remove(f.Room, f.UserID)
			m.count--
		}
	}
}

// fresh is how many memberships are in memory, and how many of them joins does not have, about.
func (m *members) fresh() (count, dirty int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.count, len(m.dirty)
}

// close refuses what comes after it.
func (m *members) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}

// putJoins writes the memberships that have changed since the last transaction.
func (w *writer) putJoins() error {
	if w.members = w.s.members.take(); len(w.members) == 0 {
		return nil
	}
	changes := make([]memberChange, len(w.members))
	for i := range w.members {
		changes[i] = w.members[i].memberChange
	}
	b := w.tx.Bucket(bucketJoins)
	b.FillPercent = 1
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	key := numberKey(n)
	return b.Put(key, encodeJoins(key, changes))
}

// checkpointMembers writes the memberships that are in memory in their places. If that fails,
// it is tried again when there are more.
func (s *Store) checkpointMembers() {
	began := time.Now()
	defer func() { s.figures.checkpoints.Observe(time.Since(began).Seconds()) }()
	all := s.members.all()
	err := s.update(func(tx *bbolt.Tx) error {
		if err := putMembers(tx, all); err != nil {
			return err
		}
		return emptyBucket(tx, bucketJoins)
	})
	if err != nil {
		s.membersAt = len(all) + s.membersEvery/8 + 1
		s.log.Error("memberships are stored, but not written in their places, which is tried again", "error", err)
		return
	}
	s.membersAt = s.membersEvery
	s.members.retire(all)
}

// putMembers writes the records of memberships, in the order of each bucket.
func putMembers(tx *bbolt.Tx, all []unsavedMember) error {
	byUser, byRoom := tx.Bucket(bucketMemberships), tx.Bucket(bucketMembers)
	slices.SortFunc(all, func(a, b unsavedMember) int {
		return cmp.Or(strings.Compare(a.UserID, b.UserID), strings.Compare(a.Room, b.Room))
	})
	for i := range all {
		c := &all[i].memberChange
		if err := putMember(byUser, bucketMemberships, c.UserID, c.Room, c); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b unsavedMember) int {
		return cmp.Or(strings.Compare(a.Room, b.Room), strings.Compare(a.UserID, b.UserID))
	})
	for i := range all {
		c := &all[i].memberChange
		if err := putMember(byRoom, bucketMembers, c.Room, c.UserID, c); err != nil {
			return err
		}
	}
	return nil
}
