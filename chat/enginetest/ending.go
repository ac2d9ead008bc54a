package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// ending is a requested logout, or an administrator's action that ends all sessions.
type ending struct {
	user  string
	id    string // "": all sessions
	why   chat.Ending
	by    *socket // nil: an administrator
	ref   string
	asked int64 // performance.time
	done  int64 // the same, when an administrator's action was done
	now   int64 // the service's, when it was requested
}

// answered is when an ending was acknowledged; 0: it was not, or it was refused.
func (e *ending) answered() int64 {
	if e.by == nil {
		return e.done
	}
	e.by.mu.Lock()
	defer e.by.mu.Unlock()
	for _, ev := range e.by.notes {
		if ev.Ref == e.ref && ev.Type == "ack" {
			return ev.at
		}
	}
	return 0
}

// mayBeEnded reports whether something may have ended a session, for the reason why if that is
// given.
func (p *performance) mayBeEnded(l *login, why ...chat.Ending) bool {
	for i := range p.endings {
		e := &p.endings[i]
		if len(why) > 0 && e.why != why[0] {
			continue
		}
		if e.user == l.user && (e.id == l.id || e.id == "" && (e.answered() == 0 || l.began < e.answered())) {
			return true
		}
	}
	return false
}

// mustBeEnded reports whether something has ended a session before a time.
func (p *performance) mustBeEnded(l *login, before int64) bool {
	for i := range p.endings {
		e := &p.endings[i]
		if at := e.answered(); at == 0 || at > before || e.user != l.user {
			continue
		}
		if e.id == l.id || e.id == "" && l.begun < e.asked {
			return true
		}
	}
	return false
}

// expired reports whether a session may have expired, and whether it must have.
func (p *performance) expired(l *login) (may, must bool) {
	if l.open > 0 {
		return false, false
	}
	over := p.Log.Now() - l.idle - p.Sessions.Life().Milliseconds()
	return over >= 0, over >= time.Minute.Milliseconds() && l.uncertain == 0
}

// revoked reports whether a token may have been revoked, and whether it must have been, before a
// time.
func (p *performance) revoked(user string, t token, before int64) (may, must bool) {
	for i := range p.endings {
		e := &p.endings[i]
		at := e.answered()
		switch {
		case e.user != user || e.id != "" || e.why == chat.UserBanned:
		case e.why == chat.UserDeleted:
			must = false // it is no longer known from when on tokens were valid
		default:
			may = may || at == 0 || t.at < at
			must = must || at > 0 && at < before && t.now < e.now
		}
	}
	return may, must
}

// judge says what is wrong with the answer to an auth, and notes the session.
func (p *performance) judge(c *client, key string, token bool, asked int64, answer event) error {
	if p.banned[c.user] {
		if answer.Type != "error" || !slices.Contains([]string{"banned", "session_refused", "session_ended"}, answer.Reason) || key == "" && answer.Reason != "banned" {
			return errors.New("the user is banned")
		}
		return nil
	}
	revokedMay, revokedMust := p.revoked(c.user, c.token, asked)
	l := c.login
	var mayRefuse, mustRefuse bool
	if key != "" {
		expiredMay, expiredMust := p.expired(l)
		good := key == l.key || key == l.before
		mayRefuse = !good || l.uncertain > 0 || expiredMay || p.mayBeEnded(l)
		mustRefuse = !good && !slices.Contains(l.rivals, key) || expiredMust || p.mustBeEnded(l, asked)
	}
	switch {
	case answer.Type == "auth_ok" && answer.Resumed:
		if key == "" || answer.Session != l.id || mustRefuse {
			return errors.New("the session must not be resumed")
		}
		l.used(key, answer.Key)
		return nil
	case answer.Type == "auth_ok":
		switch {
		case !token || key != "" && !mayRefuse:
			return errors.New("the session must be resumed")
		case revokedMust:
			return errors.New("the token was issued before its user logged out everywhere")
		}
		c.login = &login{user: c.user, id: answer.Session, key: answer.Key, given: []string{answer.Key}, began: asked, begun: answer.at}
		p.logins = append(p.logins, c.login)
		return nil
	case answer.Reason == "session_refused" && !token && mayRefuse, answer.Reason == "token_refused" && token && (key == "" || mayRefuse) && revokedMay:
		return nil
	case answer.Reason == "session_ended" && key != "" && p.mayBeEnded(l), answer.Reason == "session_ended" && token && revokedMay:
		return nil
	}
	return fmt.Errorf("it must not be refused")
}

// logOut ends the session of a connection, that of another one, or all of the user's.
func (p *performance) logOut(s *socket, st step) {
	e := ending{user: s.user, by: s, now: p.Log.Now()}
	field := ""
	switch n := -1; {
	case st.what == "own":
		e.id = s.login.id
	case st.what == "all":
		field = `,"all":true`
	default:
		fmt.Sscan(st.what, &n)
		other := p.open[n]
		if other == nil {
			return
		}
		e.id = other.login.id
		field = `,"session_id":"` + e.id + `"`
	}
	e.ref, e.asked = s.logOut(e.id, field)
	p.endings = append(p.endings, e)
}

// administer bans a user, lifts a ban, or deletes a user, who then registers again.
func (p *performance) administer(st step) error {
	e := ending{user: st.what, asked: p.time.Add(1), now: p.Log.Now()}
	switch st.verb {
	case "ban":
		if err := p.Bans.Ban(ctx, chat.Ban{UserID: e.user, Reason: "a script says so", Since: e.now}); err != nil {
			return err
		}
		e.why, p.banned[e.user] = chat.UserBanned, true
	case "unban":
		was, err := p.Bans.Unban(ctx, e.user)
		if err != nil || was != p.banned[e.user] {
			return fmt.Errorf("unbanned %t, %v; want %t", was, err, p.banned[e.user])
		}
		delete(p.banned, e.user)
		return nil
	case "delete":
		p.deleted[e.user] = true
		if err := p.Directory.DeleteUser(ctx, e.user); err != nil {
			return err
		}
		if _, err := p.Directory.User(ctx, e.user); !errors.Is(err, chat.ErrNotFound) {
			return fmt.Errorf("there is still a user who was deleted: %w", err)
		}
		e.why = chat.UserDeleted
	}
	e.done = p.time.Add(1)
	p.endings = append(p.endings, e)
	if st.verb == "delete" {
		// The user does not register again while connections are open that have not heard of the
		// deletion yet.
		if err := p.settleSessions(); err != nil {
			return err
		}
		return p.register(e.user)
	}
	return nil
}

func (p *performance) register(id string) error {
	return p.Directory.PutUser(ctx, chat.User{ID: id, Name: "Name of " + id, Guest: slices.Contains(guests, id)})
}

// closings are the reasons why the hub may close a connection.
var closings = map[string]chat.Ending{
	"closed with 1008 session_ended": chat.LoggedOut,
	"closed with 1008 banned":        chat.UserBanned,
	"closed with 1008 user_deleted":  chat.UserDeleted,
}

// closedByHub retires the connections that the hub has closed. The only valid reason is the end
// of their session.
func (p *performance) closedByHub() error {
	for conn, s := range p.open {
		s.mu.Lock()
		broken := s.broken
		s.mu.Unlock()
		if broken == "" {
			continue
		}
		if why, ok := closings[broken]; !ok || !p.mayBeEnded(s.login, why) {
			return fmt.Errorf("%s: %s", s.user, broken)
		}
		if err := p.leave(conn); err != nil {
			return err
		}
	}
	return nil
}

// settleSessions waits until every connection of an ended session is closed, and every session
// reports the right number of connections.
func (p *performance) settleSessions() error {
	for deadline := time.Now().Add(p.patience); ; time.Sleep(200 * time.Microsecond) {
		if err := p.closedByHub(); err != nil {
			return err
		}
		problem, err := p.unsettledSession()
		if err != nil || problem == "" {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New(problem)
		}
	}
}

func (p *performance) unsettledSession() (problem string, err error) {
	open := make(map[string]int)
	for _, s := range p.open {
		if p.mustBeEnded(s.login, p.time.Load()) {
			return fmt.Sprintf("%s has a connection in session %s, which has ended", s.user, s.login.id), nil
		}
		open[s.login.id]++
	}
	for _, user := range people {
		list, err := p.Sessions.List(ctx, user)
		if err != nil {
			return "", err
		}
		for _, session := range list {
			if n := open[session.ID]; n != session.Open {
				return fmt.Sprintf("session %s of %s has %d connections, and says %d", session.ID, user, n, session.Open), nil
			}
			delete(open, session.ID)
		}
	}
	for id := range open {
		return "session " + id + " has a connection, and is not listed", nil
	}
	return "", nil
}
