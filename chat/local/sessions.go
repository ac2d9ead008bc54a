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

	// Inherited says that this process takes over from one that had the connections of the saved
	// sessions: Restore is called with those, Rejoin for each that goes on, and then Inherit.
	Inherited bool

	// Ended is called when sessions of a user were ended: the one with this id or, if that
	// is "", all of them.
	Ended func(userID, sessionID string, why chat.Ending)

	// Last is called when the last session of a user has ended or expired. It may block. The
	// user cannot begin another session until it has returned.
	Last func(userID string)

	// Save, if set, is called with each new state of a session; dead says that the session no
	// longer exists. It is called with a lock held: it must not block or call the Sessions. It
	// may keep the session's Features, which are never changed.
	Save func(s *SavedSession, dead bool)
}

// SavedSession is what an engine stores about a session. With Open above 0, the session had
// connections when the process that saved it ended.
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
	lost   []*SavedSession // connections of them may have ended with the other process; nil after Inherit
	idle   []idleSession   // in the order in which they expire, except those that were used again
	stop   func() bool     // of the timer that looks for expired ones; nil: it does not run
	closed bool

	// Guarded by mu. By user: Last is being called, and the channel is closed when it has
	// returned.
	leaving map[string]chan struct{}

	lasts sync.WaitGroup // goroutines that call Last
}

// idleSession is a session that had no connection at a time.
type idleSession struct {
	id   string
	seen int64
}

// sweepEvery is how often expired sessions are looked for.
const sweepEvery = time.Minute

// NewSessions returns Sessions that hold the saved ones, none of which has a connection.
// Connections whose end was not saved count as ended now.
func NewSessions(cfg SessionsConfig, saved []SavedSession) *Sessions {
	if cfg.Clock == nil {
		cfg.Clock = chat.SystemClock()
	}
	if cfg.Life <= 0 {
		cfg.Life = chat.SessionLife
	}
	s := &Sessions{
		cfg:    cfg,
		byID:   make(map[string]*SavedSession),
		byUser: make(map[string][]*SavedSession),

		leaving: make(map[string]chan struct{}),
	}
	s.Restore(saved)
	if !cfg.Inherited {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.arm()
	}
	return s
}

// Life implements chat.Sessions.
func (s *Sessions) Life() time.Duration { return s.cfg.Life }

// add adds a session. Called with mu held.
func (s *Sessions) add(one *SavedSession) {
	s.byID[one.ID] = one
	s.byUser[one.UserID] = append(s.byUser[one.UserID], one)
}

// Begin implements chat.Sessions.
func (s *Sessions) Begin(ctx context.Context, session chat.Session) error {
	// Strings may be parts of a message, which would be kept as a whole.
	session.ID, session.UserID = strings.Clone(session.ID), strings.Clone(session.UserID)
	session.From = cloned(session.From)
	session.Features = slices.Clone(session.Features)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		left, ended := s.begin(&session)
		if ended != "" {
			s.cfg.Ended(session.UserID, ended, chat.LoggedOut)
		}
		if left == nil {
			return nil
		}
		select {
		case <-left:
		case <-ctx.Done():
		}
	}
}

// begin begins a session, unless the memberships that end with the user's last one are ending
// right now: then it returns a channel that is closed when they have ended. ended is the session
// that was ended to make room, or "".
func (s *Sessions) begin(session *chat.Session) (left <-chan struct{}, ended string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left, is := s.leaving[session.UserID]; is {
		return left, ""
	}
	if all := s.byUser[session.UserID]; len(all) >= chat.MaxSessions {
		last := slices.MinFunc(all, func(a, b *SavedSession) int {
			if (a.Open > 0) != (b.Open > 0) {
				return cmp.Compare(min(a.Open, 1), min(b.Open, 1))
			}
			if a.Open > 0 {
				return cmp.Compare(a.Began, b.Began)
			}
			return cmp.Compare(a.Seen, b.Seen)
		})
		ended = last.ID
		s.remove(last)
	}
	one := &SavedSession{Session: *session}
	one.Open, one.Seen = 1, s.cfg.Now()
	s.add(one)
	s.save(one, false)
	return nil, ended
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
	one.Key, one.From, one.Seen = next, cloned(from), s.cfg.Now()
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
		s.idle = append(s.idle, idleSession{one.ID, one.Seen})
		s.arm()
	}
}

// Any reports whether a user has a session.
func (s *Sessions) Any(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byUser[userID]) > 0
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
	n, left := s.end(userID, id, why)
	if left != nil {
		select {
		case <-left:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return n, err
}

// end ends sessions of a user, as End does. left is closed when Last has returned, if it was
// called, or is being called for one that has expired.
func (s *Sessions) end(userID, id string, why chat.Ending) (n int, left <-chan struct{}) {
	s.mu.Lock()
	if c, leaving := s.leaving[userID]; leaving {
		left = c
	}
	var ended []*SavedSession
	for _, one := range s.byUser[userID] {
		if id == "" || one.ID == id {
			ended = append(ended, one)
		}
	}
	for _, one := range ended {
		if !s.expired(one) {
			n++
		}
		if s.remove(one) {
			left = s.last(userID)
		}
	}
	s.mu.Unlock()
	if id == "" || len(ended) > 0 {
		s.cfg.Ended(userID, id, why)
	}
	return n, left
}

// Absent calls Last for those of the users who have no session, and returns when that is done.
// An engine calls it for users for whom a process may have ended before it could do so.
func (s *Sessions) Absent(users []string) {
	s.mu.Lock()
	var absent []string
	for _, user := range slices.Compact(slices.Sorted(slices.Values(users))) {
		if _, leaving := s.leaving[user]; !leaving && len(s.byUser[user]) == 0 {
			absent = append(absent, user)
		}
	}
	left := s.last(absent...)
	s.mu.Unlock()
	<-left
}

// Close ends the search for expired sessions, and waits until all calls of Last have returned.
func (s *Sessions) Close() {
	s.mu.Lock()
	s.closed = true
	if s.stop != nil {
		s.stop()
	}
	s.mu.Unlock()
	s.lasts.Wait()
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

// last calls Last for users, one after the other, on another goroutine. Called with mu held, so
// that none of them begins a session before. The channel that it returns is closed when Last has
// returned for all. After Close, Last is not called.
func (s *Sessions) last(users ...string) <-chan struct{} {
	over := make(chan struct{})
	if s.closed {
		close(over)
		return over
	}
	for _, user := range users {
		s.leaving[user] = make(chan struct{})
	}
	s.lasts.Go(func() {
		for _, user := range users {
			s.cfg.Last(user)
			s.mu.Lock()
			left := s.leaving[user]
			delete(s.leaving, user)
			s.mu.Unlock()
			close(left)
		}
		close(over)
	})
	return over
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

func cloned(from chat.Origin) chat.Origin {
	return chat.Origin{Address: strings.Clone(from.Address), Device: strings.Clone(from.Device)}
}

// arm schedules sweep if there is anything to find. Called with mu held.
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
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	n := 0
	var last []string
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
	if len(last) > 0 {
		s.last(last...)
	}
	clear(s.idle[:n])
	if s.idle = s.idle[n:]; len(s.idle) == 0 {
		s.idle = nil
	}
	s.arm()
}

// SortSessions orders sessions as chat.Sessions lists them.
func SortSessions(list []chat.Session) {
	slices.SortFunc(list, func(a, b chat.Session) int {
		return cmp.Or(cmp.Compare(b.Began, a.Began), cmp.Compare(a.ID, b.ID))
	})
}
