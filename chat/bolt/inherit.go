package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// This file lets another process take the store over, while the file stays locked: the lock belongs
// to the open file, which both processes have then.
//
//	old process                        new process
//	                                   Open with Options.Inherit: reads nothing
//	Freeze: what is unsaved is
//	  written; then nothing more is
//	File  ------- descriptor --------> Inherit: only reads
//	      <------ the commit --------- Start: may write
//	ends, without Close
//
// If the new process does not start, Thaw of the old one goes on.

// errInherited is the error of a write before Start.
var errInherited = errors.New("chat/bolt: another process has the store still")

// freezePoll is how often to look whether everything is written.
const freezePoll = 500 * time.Microsecond

// Freeze writes what is not saved yet. From then on nothing is written: requests to write wait for Thaw. The error is
// ctx's if it ends first; then the store goes on.
func (s *Store) Freeze(ctx context.Context) error {
	if err := s.Broken(); err != nil {
		return err
	}
	tick := time.NewTicker(freezePoll)
	defer tick.Stop()
	for {
		if s.commits.idle() && !s.hasUnsaved() {
			s.writing.Lock()
			// The committer may have taken a job meanwhile, which it cannot write now.
			if s.commits.idle() && !s.hasUnsaved() {
				return nil
			}
			s.writing.Unlock()
		}
		s.commits.flush()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("chat/bolt: freeze: what waits is not written in time: %w", ctx.Err())
		}
	}
}

// idle reports whether no job waits, and all are answered.
func (c *committer) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) == 0 && !c.working
}

// File is the open file, for another process. It stays the store's.
func (s *Store) File() *os.File { return s.file }

// Thaw lets a frozen store go on, because no other process has taken it over. An error means that yet
// another one may have locked the file meanwhile: the store is closed for writing.
func (s *Store) Thaw() error {
	defer s.writing.Unlock()
	// The other process may have unlocked the file that both have open.
	if err := lockFile(s.file); err != nil {
		broken := fmt.Errorf("chat/bolt: closed for writing, as its lock was lost: %w", err)
		s.broken.CompareAndSwap(nil, &broken)
		return broken
	}
	return nil
}

// Inherit opens the file that another process has open, and has frozen. It becomes the Store's. Nothing is written: if
// the file needs a repair or a conversion, that is an error, and requires a restart. Sessions and bans are still being
// read when Inherit returns. Takeover.Rejoin and Start wait for them; they must not be used for anything else before
// Start.
func (s *Store) Inherit(f *os.File) error {
	if err := s.inherit(f); err != nil {
		return err
	}
	s.time.Follow(s.newest(s.clock.Now()))
	s.inheriting.Go(func() {
		s.sessions.Restore(s.savedSessions())
		s.bans.Restore(s.savedBans())
	})
	return nil
}

// inherit opens the file and reads what is in memory while it is open.
func (s *Store) inherit(f *os.File) error {
	theirs, err := f.Stat()
	if err != nil {
		return fmt.Errorf("chat/bolt: the inherited file: %w", err)
	}
	if ours, err := os.Stat(s.path); err != nil || !os.SameFile(theirs, ours) {
		return s.notInherited()
	}
	return s.guard(func() error {
		var err error
		s.db, err = openFile(s.path, bbolt.Options{OpenFile: func(string, int, fs.FileMode) (*os.File, error) { return f, nil }})
		if err == nil {
			s.file = f
			err = s.db.View(s.readMeta)
		}
		if err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", s.path, err)
		}
		current := false
		if err := s.db.View(func(tx *bbolt.Tx) error { current = formatOf(tx) == format && hasLooks(tx); return nil }); err != nil {
			return err
		}
		if !current {
			return fmt.Errorf("chat/bolt: %s was written by another version, and must be converted first: restart the server", s.path)
		}
		if s.readAll(); s.Broken() == nil && (s.unsure.peers || s.unsure.looks) {
			return fmt.Errorf("chat/bolt: %s must be mended: restart the server", s.path)
		}
		return s.Broken()
	})
}

func (s *Store) notInherited() error {
	return fmt.Errorf("chat/bolt: %s is not the file that the other process has open", s.path)
}

// takeover is the chat.Takeover.
type takeover struct{ *Store }

// State implements chat.Takeover.
func (t takeover) State() (state []byte, files []*os.File, err error) {
	return nil, []*os.File{t.file}, nil
}

// Inherit implements chat.Takeover.
func (t takeover) Inherit(_ []byte, files []*os.File) error {
	if len(files) != 1 {
		return errors.New("chat/bolt: the store's file was not handed over: the other process may have its messages elsewhere")
	}
	return t.Store.Inherit(files[0])
}

// Ready implements chat.Takeover. The lock of the file says that no other process has the store.
func (t takeover) Ready(context.Context) error { return nil }

// Retire implements chat.Takeover. A frozen store does nothing that would have to end.
func (t takeover) Retire() {}

// Rejoin implements chat.Takeover.
func (t takeover) Rejoin(sessionIDs []string) []bool {
	t.inheriting.Wait()
	return t.sessions.Rejoin(sessionIDs)
}

// Start lets a store with Options.Inherit write, after Inherit. The other process must not do anything with it any more.
func (s *Store) Start() {
	s.inheriting.Wait()
	s.inherited.Store(false)
	s.start()
	s.sessions.Inherit()
}
