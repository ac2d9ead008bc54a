package enginetest

import (
	"errors"
	"fmt"
	"time"
)

// ending is a logout that was asked for.
type ending struct {
	user  string
	id    string // "": all sessions
	by    *socket
	ref   string
	asked int64 // performance.time
	now   int64 // the service's, when it was asked
}

// answered is when an ending was acknowledged; 0: not, or it was refused.
func (e *ending) answered() int64 {
	e.by.mu.Lock()
	defer e.by.mu.Unlock()
	for _, ev := range e.by.notes {
		if ev.Ref == e.ref && ev.Type == "ack" {
			return ev.at
		}
	}
	return 0
}

// mayBeEnded reports whether something may have ended a session.
func (p *performance) mayBeEnded(l *login) bool {
	for i := range p.endings {
		e := &p.endings[i]
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

// revoked reports whether a token may have been, and whether it must have been, before a time.
func (p *performance) revoked(user string, t token, before int64) (may, must bool) {
	for i := range p.endings {
		e := &p.endings[i]
		if e.user != user || e.id != "" {
			continue
		}
		at := e.answered()
		may = may || at == 0 || t.at < at
		must = must || at > 0 && at < before && t.now < e.now
	}
	return may, must
}

// judge says what is wrong with the answer to an auth, and notes the session.
func (p *performance) judge(c *client, key string, token bool, asked int64, answer event) error {
	revokedMay, revokedMust := p.revoked(c.user, c.token, asked)
	l := c.login
	var mayRefuse, mustRefuse bool
	if key != "" {
		expiredMay, expiredMust := p.expired(l)
		good := key == l.key || key == l.before
		mayRefuse = !good || l.uncertain > 0 || expiredMay || p.mayBeEnded(l)
		mustRefuse = !good || expiredMust || p.mustBeEnded(l, asked)
	}
	switch {
	case answer.Type == "auth_ok" && answer.Resumed:
		if key == "" || answer.Session != l.id || mustRefuse {
			return errors.New("the session must not be resumed")
		}
		if key == l.before {
			p.dead[l] = append(p.dead[l], l.key)
		} else if l.before != "" {
			p.dead[l] = append(p.dead[l], l.before)
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
		c.login = &login{user: c.user, id: answer.Session, key: answer.Key, began: asked, begun: answer.at}
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

// closedByHub retires the connections that the hub has closed. Only the end of their session is
// a reason for that.
func (p *performance) closedByHub() error {
	for conn, s := range p.open {
		s.mu.Lock()
		broken := s.broken
		s.mu.Unlock()
		if broken == "" {
			continue
		}
		if broken != "closed with 1008 session_ended" || !p.mayBeEnded(s.login) {
			return fmt.Errorf("%s: %s", s.user, broken)
		}
		if err := p.leave(conn); err != nil {
			return err
		}
	}
	return nil
}

// settleSessions waits until every connection of an ended session is closed, and every session
// has the connections that it has.
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
