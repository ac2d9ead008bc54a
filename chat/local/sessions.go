package local

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// SessionsConfig is what Sessions need from their engine.
type SessionsConfig struct {
	Clock chat.Clock    // default: chat.SystemClock()
	Now   func() int64  // ms since 1970
	Life  time.Duration // of a session without a connection; default: chat.SessionLife

	// Ended is called when sessions of a user were ended: the one with this id or, if that
	// is "", all of them.
	Ended func(userID, sessionID string, why chat.Ending)

	// Last is called when the last session of a user has ended or expired.
	Last func(userID string)

	// Save, if there is one, is told each new state of a session, and with dead that there
	// is no such session any more. It is called with a lock held: it must not block or call
	// the Sessions.
	Save func(s *SavedSession, dead bool)
}

// SavedSession is what an engine stores of a session.
type SavedSession struct {
	chat.Session
	Before chat.KeyHash // the key that Key has replaced, as long as Key was not used
}

// Sessions is a chat.Sessions of one process, in memory.
type Sessions struct {
	cfg SessionsConfig

	mu sync.Mutex
	// Guarded by mu.
	byID   map[string]*SavedSession
	byUser map[string][]*SavedSession
	idle   []idleSession // in the order in which they expire, but for those that were used again
	stop   func() bool   // of the timer that looks for expired ones; nil: it does not run
	closed bool
}

// idleSession is a session that had no connection at a time.
type idleSession struct {
	id   string
	seen int64
}

// sweepEvery is how often expired sessions are looked for.
const sweepEvery = time.Minute

// NewSessions returns Sessions that hold what was saved, none of which has a connection.
func NewSessions(cfg SessionsConfig, saved []SavedSession) *Sessions {
	if cfg.Clock == nil {
		cfg.Clock = chat.SystemClock()
	}
	if cfg.Life <= 0 {
		cfg.Life = chat.SessionLife
	}
	s := &Sessions{cfg: cfg, byID: make(map[string]*SavedSession), byUser: make(map[string][]*SavedSession)}
	slices.SortFunc(saved, func(a, b SavedSession) int { return cmp.Compare(a.Seen, b.Seen) })
	for i := range saved {
		one := saved[i]
		one.Open = 0
		s.byID[one.ID] = &one
		s.byUser[one.UserID] = append(s.byUser[one.UserID], &one)
		s.idle = append(s.idle, idleSession{one.ID, one.Seen})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arm()
	return s
}

// Life implements chat.Sessions.
func (s *Sessions) Life() time.Duration { return s.cfg.Life }

// Begin implements chat.Sessions.
func (s *Sessions) Begin(ctx context.Context, session chat.Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session.UserID = strings.Clone(session.UserID)
	session.Open, session.Seen = 1, s.cfg.Now()
	one := &SavedSession{Session: session}
	s.byID[session.ID] = one
	s.byUser[session.UserID] = append(s.byUser[session.UserID], one)
	s.save(one, false)
	return nil
}

// Resume implements chat.Sessions.
func (s *Sessions) Resume(ctx context.Context, id string, key, next chat.KeyHash, from chat.Origin) (chat.Session, error) {
	if err := ctx.Err(); err != nil {
		return chat.Session{}, err
	}
	defer s.sweep()
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byID[id]
	switch {
	case one == nil || s.expired(one):
		return chat.Session{}, chat.ErrSessionRefused
	case key == one.Key:
		one.Before = one.Key
	case key != one.Before || key == chat.KeyHash{}:
		return chat.Session{}, chat.ErrSessionRefused
	}
	one.Key, one.From, one.Seen = next, from, s.cfg.Now()
	one.Open++
	s.save(one, false)
	return one.copy(), nil
}

// Release implements chat.Sessions.
func (s *Sessions) Release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byID[id]
	if one == nil || one.Open == 0 {
		return
	}
	one.Open--
	one.Seen = s.cfg.Now()
	s.save(one, false)
	if one.Open == 0 {
		s.idle = append(s.idle, idleSession{id, one.Seen})
		s.arm()
	}
}

// List implements chat.Sessions.
func (s *Sessions) List(ctx context.Context, userID string) (list []chat.Session, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.byUser[userID] {
		if !s.expired(one) {
			list = append(list, one.copy())
		}
	}
	SortSessions(list)
	return list, ctx.Err()
}

// End implements chat.Sessions.
func (s *Sessions) End(ctx context.Context, userID, id string, why chat.Ending) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	var ended []*SavedSession
	for _, one := range s.byUser[userID] {
		if id == "" || one.ID == id {
			ended = append(ended, one)
		}
	}
	last := false
	for _, one := range ended {
		if !s.expired(one) {
			n++
		}
		last = s.remove(one)
	}
	s.mu.Unlock()
	if id == "" || len(ended) > 0 {
		s.cfg.Ended(userID, id, why)
	}
	if last {
		s.cfg.Last(userID)
	}
	return n, nil
}

// Close ends the search for expired sessions.
func (s *Sessions) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.stop != nil {
		s.stop()
	}
}

// expired reports whether a session is not alive. Called with mu held.
func (s *Sessions) expired(one *SavedSession) bool {
	now := s.cfg.Now()
	return one.Expires > 0 && now >= one.Expires || one.Open == 0 && now >= one.Seen+s.cfg.Life.Milliseconds()
}

// remove forgets a session, and reports whether it was its user's last. Called with mu held.
func (s *Sessions) remove(one *SavedSession) (last bool) {
	delete(s.byID, one.ID)
	left := slices.DeleteFunc(s.byUser[one.UserID], func(other *SavedSession) bool { return other == one })
	s.save(one, true)
	if len(left) > 0 {
		s.byUser[one.UserID] = left
		return false
	}
	delete(s.byUser, one.UserID)
	return true
}

func (s *Sessions) save(one *SavedSession, dead bool) {
	if s.cfg.Save != nil {
		s.cfg.Save(one, dead)
	}
}

func (one *SavedSession) copy() chat.Session {
	c := one.Session
	c.Features = slices.Clone(c.Features)
	return c
}

// arm has sweep run in a while if there is anything to find. Called with mu held.
func (s *Sessions) arm() {
	if s.stop == nil && len(s.idle) > 0 && !s.closed {
		s.stop = s.cfg.Clock.AfterFunc(sweepEvery, func() {
			s.mu.Lock()
			s.stop = nil
			s.mu.Unlock()
			s.sweep()
		})
	}
}

// sweep removes the sessions that have been without a connection for too long.
func (s *Sessions) sweep() {
	s.mu.Lock()
	var last []string
	n := 0
	for _, i := range s.idle {
		one := s.byID[i.id]
		if one != nil && one.Open == 0 && one.Seen == i.seen { // otherwise it was used since then
			if !s.expired(one) {
				break
			}
			if s.remove(one) {
				last = append(last, one.UserID)
			}
		}
		n++
	}
	s.idle = slices.Delete(s.idle, 0, n)
	if len(s.idle) == 0 {
		s.idle = nil
	}
	s.arm()
	s.mu.Unlock()
	for _, user := range last {
		s.cfg.Last(user)
	}
}
