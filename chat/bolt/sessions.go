package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/local"
)

// Sessions are in memory (local.Sessions), and each new state of one is written within flushAfter: none
// gets a transaction of its own, and only the last of several states is written.
//
//	sessions  began, id  the session
//
// began, in ms and 8 bytes, makes those that begin together lie side by side.

var bucketSessions = []byte("sessions")

// makeSessions makes the sessions and bans, with those that are on disk.
func (s *Store) makeSessions(life time.Duration, saved []local.SavedSession, banned []chat.Ban) {
	s.sessions = local.NewSessions(local.SessionsConfig{
		Clock: s.clock, Now: s.time.Now, Life: life, Ended: s.broker.Ended, Last: s.lastEnded, Save: s.saveSession,
		Inherited: s.inherited.Load(),
	}, saved)
	s.bans = local.NewBans(local.BansConfig{Now: s.time.Now, Banned: s.broker.Banned, Sessions: s.sessions}, banned)
}

// savedSessions reads the sessions that are on disk.
func (s *Store) savedSessions() (saved []local.SavedSession) {
	s.readSaved(func(tx *bbolt.Tx) { saved = s.readSessions(tx) })
	return saved
}

// savedBans reads the bans that are on disk.
func (s *Store) savedBans() (saved []chat.Ban) {
	s.readSaved(func(tx *bbolt.Tx) { saved = s.readBans(tx) })
	return saved
}

// readSaved runs a transaction. It ends at a damaged page.
func (s *Store) readSaved(read func(*bbolt.Tx)) {
	err := s.guard(func() error { return s.db.View(func(tx *bbolt.Tx) error { read(tx); return nil }) })
	if err != nil {
		s.damage.note("", 0, err)
	}
}

// unsaved are the states of sessions that are not on disk.
type unsaved struct {
	mu       sync.Mutex
	sessions map[string]unsavedSession // Guarded by mu. By id.
}

type unsavedSession struct {
	local.SavedSession
	dead bool
}

// saveSession keeps a session's state until it is written.
func (s *Store) saveSession(one *local.SavedSession, dead bool) {
	if s.Broken() != nil {
		return // it never will be
	}
	s.unsaved.mu.Lock()
	if s.unsaved.sessions == nil {
		s.unsaved.sessions = make(map[string]unsavedSession)
	}
	s.unsaved.sessions[one.ID] = unsavedSession{*one, dead}
	s.unsaved.mu.Unlock()
	s.soon()
}

// take returns the states that must be written.
func (u *unsaved) take() map[string]unsavedSession {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.sessions
	u.sessions = nil
	return taken
}

// putBack undoes take, as the transaction has failed.
func (u *unsaved) putBack(taken map[string]unsavedSession) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if taken != nil {
		maps.Copy(taken, u.sessions) // newer states
		u.sessions = taken
	}
}

func (u *unsaved) any() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.sessions) > 0
}

// putSessions writes the states of sessions that are not on disk.
func (w *writer) putSessions() error {
	w.sessions = w.s.unsaved.take()
	b := w.tx.Bucket(bucketSessions)
	all := slices.AppendSeq(make([]unsavedSession, 0, len(w.sessions)), maps.Values(w.sessions))
	slices.SortFunc(all, func(a, b unsavedSession) int {
		return bytes.Compare(sessionKey(&a.SavedSession), sessionKey(&b.SavedSession))
	})
	for i := range all {
		if err := putSession(b, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

func putSession(b *bbolt.Bucket, one *unsavedSession) error {
	key := sessionKey(&one.SavedSession)
	if one.dead {
		return deleteCounted(b, key)
	}
	return putCounted(b, key, encodeSession(key, &one.SavedSession))
}

func sessionKey(one *local.SavedSession) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(one.ID)), uint64(one.Began)), one.ID...)
}

const (
	flagOpen   = 0x01 // a session has connections
	flagBefore = 0x02 // the key before is good, too
	flagRole   = 0x04 // its token named a role
)

// encodeSession encodes a session: flags, the keys, the user and the role, when it was seen and when it
// expires, its address, and its features.
func encodeSession(key []byte, one *local.SavedSession) []byte {
	flags := byte(0)
	if one.Open > 0 {
		flags |= flagOpen
	}
	if one.Before != (chat.KeyHash{}) {
		flags |= flagBefore
	}
	if one.Role != "" {
		flags |= flagRole
	}
	b := append(append(newRecord(160), flags), one.Key[:]...)
	if flags&flagBefore != 0 {
		b = append(b, one.Before[:]...)
	}
	b = appendField(b, one.UserID)
	if flags&flagRole != 0 {
		b = appendField(b, one.Role)
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(one.Seen)), uint64(one.Expires))
	b = appendField(appendField(b, one.From.Address), one.From.Device)
	b = binary.AppendUvarint(b, uint64(len(one.Features)))
	for _, f := range one.Features {
		b = appendField(b, f)
	}
	return sealed(bucketSessions, key, b)
}

func decodeSession(key, record []byte) (one local.SavedSession, err error) {
	b, err := openRecord(bucketSessions, key, record)
	if err != nil || len(key) <= 8 {
		return one, errDamaged
	}
	d := decoder{b: b}
	flags := byte(0)
	if head := d.bytes(1); head != nil {
		flags = head[0]
	}
	copy(one.Key[:], d.bytes(uint64(len(one.Key))))
	if flags&flagBefore != 0 {
		copy(one.Before[:], d.bytes(uint64(len(one.Before))))
	}
	one.ID, one.Began = string(key[8:]), int64(binary.BigEndian.Uint64(key))
	one.UserID = d.field()
	if flags&flagRole != 0 {
		one.Role = d.field()
	}
	one.Seen, one.Expires = int64(d.uvarint()), int64(d.uvarint())
	one.From.Address, one.From.Device = d.field(), d.field()
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		one.Features = append(one.Features, d.field())
	}
	if flags&flagOpen != 0 {
		one.Open = 1
	}
	return one, d.end()
}

// readSessions reads the sessions of the last run. One that is damaged has ended.
func (s *Store) readSessions(tx *bbolt.Tx) (saved []local.SavedSession) {
	b := tx.Bucket(bucketSessions)
	count := uint64(0)
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		count++
		one, err := decodeSession(k, v)
		if err != nil {
			s.damage.note(chat.Conversation(k), 0, fmt.Errorf("%w: the session %q", err, k))
			continue
		}
		saved = append(saved, one)
	}
	if count != b.Sequence() {
		s.damage.note(chat.Conversation(bucketSessions), 0, fmt.Errorf("%w: there are %d sessions of %d", errDamaged, count, b.Sequence()))
	}
	return saved
}
