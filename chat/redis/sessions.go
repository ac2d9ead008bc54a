package redis

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// sessions is the engine's chat.Sessions. All sessions of a user are in one hash, and change only
// if they still are what was read, so that a change is as if nobody else changed anything.
// Another key leads from the id of a session to its user.
type sessions struct {
	// Immutable.
	s     *store
	b     *broker
	ended func(ctx context.Context, userID, id string, why chat.Ending) error

	banned func(userID string) bool // set before it is used

	mu   sync.Mutex
	wake sync.Cond
	free sync.Cond // a session is locked no longer
	// Guarded by mu.
	self      string    // by which sessions name this process
	refreshed time.Time // since when those that have connections here were refreshed, or begun; zero: that is due
	due       int       // how often it became due before its time
	held      map[string]*heldSession
	locked    map[string]bool
	released  []string      // of held, those that Redis must be told of
	progress  chan struct{} // closed, and replaced, when it was told of some, or could not be
	failed    error         // why it could not
	closed    bool
	done      chan struct{}
}

// heldSession is a session that has, or had, connections here.
type heldSession struct {
	user     string
	open     int   // connections, by now
	released int   // those that have ended and that Redis was not told of
	queued   bool  // it is in sessions.released, or is being told
	seen     int64 // when the last of them ended

	record string    // as it was stored the last time that is known here; "": that is not known yet
	sure   time.Time // when that was
}

// maxTries bounds how often a session that others change at the same time is tried again.
const maxTries = 20

var errBusy = errors.New("chat/redis: a session is being changed by too many at once")

func newSessions(s *store, b *broker) *sessions {
	ss := &sessions{s: s, b: b, self: newNodeID(), refreshed: time.Now(), held: make(map[string]*heldSession), locked: make(map[string]bool), progress: make(chan struct{}), done: make(chan struct{})}
	ss.wake.L, ss.free.L = &ss.mu, &ss.mu
	go ss.run()
	return ss
}

func (ss *sessions) alive(process string) bool {
	return ss.b.anyAlive(ss.b.ctx, []string{process})
}

// Life implements chat.Sessions.
func (ss *sessions) Life() time.Duration { return ss.s.cfg.SessionLife }

func (ss *sessions) lifeMS() int64 { return ss.s.cfg.SessionLife.Milliseconds() }

func (ss *sessions) process() string {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.self
}

// all reads all sessions of a user, and what is stored of each.
func (ss *sessions) all(ctx context.Context, userID string) (records map[string]sessionRecord, stored map[string]string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	stored, err = ss.s.client.Do(ctx, ss.s.client.B().Hgetall().Key(ss.s.keys.sessions(userID)).Build()).AsStrMap()
	if err != nil {
		return nil, nil, err
	}
	records = make(map[string]sessionRecord)
	for id, text := range stored {
		r, err := parseSession(text)
		if err != nil {
			return nil, nil, err
		}
		records[id] = r
	}
	return records, stored, nil
}

// change is what a session was, and what it shall be; "" is nothing.
type change struct{ id, was, is string }

// changes are of a user's sessions.
type changes struct {
	check int64    // when to look at the sessions
	all   bool     // all sessions end, also those that Redis has lost
	lost  int64    // when the one began that Redis has lost, and that is stored again; 0: none is
	of    []change // each of them
}

// kept is how long Redis keeps the key of a user's sessions after their last change, and what it
// remembers of those that have ended.
func (ss *sessions) kept() time.Duration { return 2*ss.Life() + time.Hour }

// replace stores changes of a user's sessions unless others have changed them: then done is
// false. left is how many sessions there are. chat.ErrSessionRefused says that one has ended.
func (ss *sessions) replace(ctx context.Context, userID string, c changes) (done bool, left int, err error) {
	k := ss.s.keys
	keys := []string{k.sessions(userID), k.sessionChecks(partition(userID)), k.endedSessions(userID)}
	lost := ""
	if c.lost != 0 {
		keys, lost = append(keys, k.user(userID)), strconv.FormatInt(c.lost, 10)
	}
	args := []string{userID, strconv.FormatInt(ss.kept().Milliseconds(), 10), strconv.FormatInt(c.check, 10), flag(c.all), lost}
	ends := c.all
	for _, one := range c.of {
		args = append(args, one.id, one.was, one.is)
		ends = ends || one.is == ""
	}
	run := ss.s.run
	if ends { // no failover may bring it back
		run = ss.s.keep
	}
	n, err := run(ctx, sessionScript, keys, args).AsInt64()
	if err != nil {
		return false, 0, written(err)
	}
	if n == -2 {
		return false, 0, chat.ErrSessionRefused
	}
	return n >= 0, int(n), nil
}

// lead leads from a session's id to its user.
func (ss *sessions) lead(ctx context.Context, id, userID string) error {
	life := ss.kept()
	return ss.s.client.Do(ctx, ss.s.client.B().Set().Key(ss.s.keys.sessionUser(id)).Value(userID).Px(life).Build()).Error()
}

// Begin implements chat.Sessions.
func (ss *sessions) Begin(ctx context.Context, s chat.Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ss.hold(s.ID, s.UserID) // before it is stored, as that may be done although there is an error
	if err := ss.lead(ctx, s.ID, s.UserID); err != nil {
		return written(err)
	}
	now := ss.s.Now()
	r := sessionRecord{
		User: s.UserID, Role: s.Role, Key: s.Key[:], Features: s.Features, Address: s.From.Address, Device: s.From.Device,
		Began: s.Began, Seen: now, Expires: s.Expires, Until: now + ss.lifeMS(),
	}
	r.count(ss.process(), 1)
	done, left, err := ss.replace(ctx, s.UserID, changes{check: r.Until, of: []change{{s.ID, "", r.String()}}})
	switch {
	case err != nil && !errors.Is(err, chat.ErrSessionRefused):
		return err
	case !done:
		return errors.New("chat/redis: there is a session with this id, or was")
	}
	ss.remember(s.ID, r.String())
	switch {
	case left > chat.MaxSessions:
		return ss.makeRoom(ctx, s.UserID, s.ID)
	}
	return nil
}

// makeRoom ends sessions of a user who has too many, but not the one that has just begun.
func (ss *sessions) makeRoom(ctx context.Context, userID, newest string) error {
	list, err := ss.List(ctx, userID)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(s chat.Session) bool { return s.ID == newest })
	slices.SortFunc(list, func(a, b chat.Session) int {
		if a.Open > 0 && b.Open > 0 {
			return cmp.Compare(a.Began, b.Began)
		}
		return cmp.Or(cmp.Compare(min(a.Open, 1), min(b.Open, 1)), cmp.Compare(a.Seen, b.Seen))
	})
	for len(list) >= chat.MaxSessions {
		if _, err := ss.End(ctx, userID, list[0].ID, chat.LoggedOut); err != nil {
			return err
		}
		list = list[1:]
	}
	return nil
}

// lock waits until nothing else here tells Redis how many connections a session has here: what is
// known here and what is stored must change together. Those who hold it have a time limit.
func (ss *sessions) lock(id string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for ss.locked[id] {
		ss.free.Wait()
	}
	ss.locked[id] = true
}

func (ss *sessions) unlock(id string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.locked, id)
	ss.free.Broadcast()
}

func (ss *sessions) hold(id, userID string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	h := ss.held[id]
	if h == nil {
		h = &heldSession{user: userID}
		ss.held[id] = h
	}
	h.open++
}

// Resume implements chat.Sessions.
func (ss *sessions) Resume(ctx context.Context, id string, key, next chat.KeyHash, from chat.Origin) (chat.Session, error) {
	if err := ss.flush(ctx, func(one, _ string) bool { return one == id }); err != nil {
		return chat.Session{}, err
	}
	ctx, cancel := ss.s.client.limit(ctx)
	defer cancel()
	ss.lock(id)
	defer ss.unlock(id)
	userID, err := ss.s.client.Do(ctx, ss.s.client.B().Get().Key(ss.s.keys.sessionUser(id)).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return chat.Session{}, chat.ErrSessionRefused
	} else if err != nil {
		return chat.Session{}, err
	}
	for range maxTries {
		records, stored, err := ss.all(ctx, userID)
		if err != nil {
			return chat.Session{}, err
		}
		r, ok := records[id]
		now := ss.s.Now()
		switch {
		case !ok:
			return chat.Session{}, chat.ErrSessionRefused
		case r.expired(now, ss.alive):
			return chat.Session{}, cmp.Or(ss.bury(ctx, userID), chat.ErrSessionRefused)
		case !r.unlock(key):
			return chat.Session{}, chat.ErrSessionRefused
		}
		r.Key, r.Address, r.Device, r.Seen, r.Until = next[:], from.Address, from.Device, now, now+ss.lifeMS()
		r.Resumed = max(now, r.Resumed+1)
		r.count(ss.process(), 1)
		if err := ss.lead(ctx, id, userID); err != nil {
			return chat.Session{}, err
		}
		done, _, err := ss.replace(ctx, userID, changes{check: r.Until, of: []change{{id, stored[id], r.String()}}})
		if err != nil {
			return chat.Session{}, err
		}
		if done {
			ss.hold(id, userID)
			ss.remember(id, r.String())
			return r.session(id, ss.alive), nil
		}
	}
	return chat.Session{}, errBusy
}

// List implements chat.Sessions.
func (ss *sessions) List(ctx context.Context, userID string) (list []chat.Session, err error) {
	if err := ss.flush(ctx, func(_, user string) bool { return user == userID }); err != nil {
		return nil, err
	}
	records, _, err := ss.all(ctx, userID)
	if err != nil {
		return nil, err
	}
	now := ss.s.Now()
	for id, r := range records {
		if !r.expired(now, ss.alive) {
			list = append(list, r.session(id, ss.alive))
		}
	}
	slices.SortFunc(list, func(a, b chat.Session) int {
		return cmp.Or(cmp.Compare(b.Began, a.Began), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// End implements chat.Sessions. Nodes are told after the sessions are gone. If the process dies
// in between, nodes find out when they next say that their sessions are in use.
func (ss *sessions) End(ctx context.Context, userID, id string, why chat.Ending) (n int, err error) {
	if err := ss.flush(ctx, func(_, user string) bool { return user == userID }); err != nil {
		return 0, err
	}
	for range maxTries {
		records, stored, err := ss.all(ctx, userID)
		if err != nil {
			return 0, err
		}
		var gone []change
		n := 0
		now := ss.s.Now()
		for one, r := range records {
			if id == "" || one == id {
				gone = append(gone, change{one, stored[one], ""})
				if !r.expired(now, ss.alive) {
					n++
				}
			}
		}
		if id != "" && len(gone) == 0 {
			gone = append(gone, change{id, "", ""}) // Redis may have lost it
		}
		done, left, err := ss.replace(ctx, userID, changes{check: now + ss.lifeMS(), all: id == "", of: gone})
		if err != nil {
			return 0, err
		}
		if !done {
			continue
		}
		if err := ss.ended(ctx, userID, id, why); err != nil {
			return n, written(err)
		}
		if left == 0 {
			return n, ss.last(ctx, userID)
		}
		return n, nil
	}
	return 0, errBusy
}

// last ends the memberships of a guest who has no session any more. It stops where a new one has
// begun.
func (ss *sessions) last(ctx context.Context, userID string) error {
	u, _, err := ss.s.user(ctx, userID)
	if errors.Is(err, chat.ErrNotFound) || err == nil && !u.Guest {
		return nil
	} else if err != nil {
		return err
	}
	return ss.s.leaveAll(ctx, userID, ss.s.keys.sessions(userID))
}

// bury removes the sessions of a user that have expired.
func (ss *sessions) bury(ctx context.Context, userID string) error {
	records, stored, err := ss.all(ctx, userID)
	if err != nil {
		return err
	}
	now := ss.s.Now()
	check := now + ss.lifeMS()
	var gone []change
	for id, r := range records {
		if r.expired(now, ss.alive) {
			gone = append(gone, change{id, stored[id], ""})
		} else if r.Until > now {
			check = min(check, r.Until)
		}
	}
	done, left, err := ss.replace(ctx, userID, changes{check: check, of: gone})
	if err == nil && done && left == 0 {
		err = ss.last(ctx, userID)
	}
	return err
}

// sweep looks at the users of a partition whose sessions may have expired.
func (ss *sessions) sweep(ctx context.Context, partition int) error {
	c := ss.s.client
	users, err := c.Do(ctx, c.B().Zrangebyscore().Key(ss.s.keys.sessionChecks(partition)).Min("-inf").
		Max(strconv.FormatInt(ss.s.Now(), 10)).Limit(0, 100).Build()).AsStrSlice()
	if err != nil {
		return err
	}
	for _, user := range users {
		if err := ss.bury(ctx, user); err != nil {
			return err
		}
	}
	return nil
}

// reborn gives the process another id, as it was thought dead under its own. Its sessions must be
// refreshed.
func (ss *sessions) reborn() string {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.self = newNodeID()
	return ss.self
}
