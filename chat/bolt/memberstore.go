package bolt

// stored puts a change that is in the bucket of joins into memory, when the file is opened.
func (m *members) stored(c memberChange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(m.byUser.get(c.UserID, c.Room), c)
}

// unsavedMember is a membership as it was when the transaction that writes it began.
type unsavedMember struct {
	memberChange
	of      *freshMember
	version uint64
}

// take returns the memberships that are not in joins yet, for a transaction that puts them
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
func (m *members) all() []placed {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]placed, 0, m.count)
	for _, of := range m.byUser {
		of.Scan(func(_ string, f *freshMember) bool {
			all = append(all, placed{freshMember: f})
			return true
		})
	}
	return all
}

// now returns the current state of some of them.
func (m *members) now(some []placed) []unsavedMember {
	m.mu.RLock()
	defer m.mu.RUnlock()
	now := make([]unsavedMember, len(some))
	for i, f := range some {
		now[i] = unsavedMember{f.memberChange, f.freshMember, f.version}
	}
	return now
}

// retire takes memberships out of memory that are in both places on disk and have not changed
// in between, or since.
func (m *members) retire(piece []placed, written []unsavedMember) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retired++
	for i, w := range written {
		if f := w.of; f.version == w.version && piece[i].first == w.version {
			f.dirty = false
			m.byUser.remove(f.UserID, f.Room)
			m.byRoom.remove(f.Room, f.UserID)
			m.count--
		}
	}
}

// fresh is about how many memberships are in memory, and how many of them are not in joins yet.
func (m *members) fresh() (count, dirty int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.count, len(m.dirty)
}

// close refuses later changes.
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
	w.joins = 1
	return b.Put(key, encodeJoins(key, changes))
}
