package enginetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
)

// client is a device: what it keeps from one of its connections to the next.
type client struct {
	user   string
	opened int // at which step its first connection was opened
	token  token
	login  *login
	held   *model // what it has heard, as of the end of its last connection
	since  int64  // the server_ts of the last auth_ok after which nothing was missing
}

// token is one that a user was given.
type token struct {
	text string
	at   int64 // performance.time
	now  int64 // the service's
}

// login is a session as its clients know it. Several may share it.
type login struct {
	user, id    string
	key, before string   // both are good, until key is used
	rivals      []string // other keys that were given out in place of before, like key: a service may accept all of them until one is used
	given       []string // all keys
	began       int64    // performance.time, before auth was sent
	begun       int64    // the same, after it was answered
	open        int      // connections
	idle        int64    // the service's time when the last of them ended
	expired     int64    // performance.time from which it may have expired; 0: it has not

	// An auth was sent, and its answer was lost. The service may consider that auth the
	// newest one until the session was resumed twice.
	uncertain int
}

// used notes that a key was used, and that another one was issued.
func (l *login) used(key, next string) {
	if key == l.before {
		l.rivals = append(l.rivals, l.key)
	} else {
		l.before, l.rivals = key, nil
		l.uncertain = max(l.uncertain-1, 0)
	}
	l.key, l.given = next, append(l.given, next)
}

// stale returns a key that was replaced, but not the previous one.
func (l *login) stale(n int) string {
	var old []string
	for _, key := range l.given {
		if key != l.key && key != l.before {
			old = append(old, key)
		}
	}
	if len(old) == 0 {
		return "KEY-OF-ANOTHER-SESSION"
	}
	return old[n%len(old)]
}

// names authenticates tokens, which say whose they are and when they were issued.
type names struct{}

func (names) Authenticate(text string) (chat.Identity, error) {
	user, issued, _ := strings.Cut(text, "@")
	ms, err := strconv.ParseInt(issued, 10, 64)
	return chat.Identity{UserID: user, Issued: time.UnixMilli(ms)}, err
}

func (p *performance) issue(user string) token {
	now := p.Log.Now()
	return token{text: fmt.Sprint(user, "@", now), at: p.time.Add(1), now: now}
}

// positions are the positions that a client sends in resume.
func (c *client) positions() map[string]string {
	positions := make(map[string]string)
	for in, v := range c.held.held {
		receiver, isRoom := in.Room()
		if !isRoom {
			receiver = in.Receiver(c.user)
		}
		positions[receiver] = v.position
	}
	return positions
}

// auth is the first message of a client. A key of "" means the token alone.
func (c *client) auth(key string, token, resume bool) []byte {
	m := map[string]any{"type": "auth", "ref": "auth"}
	if key != "" {
		m["session_id"], m["resume_key"] = c.login.id, key
	}
	if token {
		m["token"] = c.token.text
	}
	if token {
		m["features"] = []string{"ack", "system"}
	}
	if resume {
		m["resume"] = map[string]any{"positions": c.positions(), "since": c.since}
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return text
}

// enter opens a connection, and returns when its auth is answered.
func (p *performance) enter(st step) error {
	c := &client{user: st.what, opened: p.step, held: newModel(st.what), token: p.issue(st.what)}
	return p.logIn(st, c, "", true)
}

// share opens a connection of another client, in the session of one that is open.
func (p *performance) share(st step) error {
	n, err := strconv.Atoi(st.what)
	other := p.open[n]
	if err != nil || other == nil {
		return nil
	}
	c := &client{user: other.user, opened: p.step, held: newModel(other.user), token: p.issue(other.user), login: other.login}
	return p.logIn(st, c, c.login.key, false)
}

// back opens a connection of a client that has had one before.
func (p *performance) back(st step, c *client) error {
	key, token := c.login.key, false
	switch st.what {
	case "token":
		key, token = "", true
	case "both":
		token = true
	case "before":
		key = c.login.before
	case "stale":
		key = c.login.stale(p.step)
	}
	if key == "" && !token {
		return nil
	}
	return p.logIn(st, c, key, token)
}

// lose sends an auth, and loses the answer.
func (p *performance) lose(st step, c *client) {
	s := &socket{p: p, user: c.user, closed: true}
	s.conn = p.hubs[st.node].Open(s, chat.ConnectionInfo{})
	s.conn.Handle(frame.Text, c.auth(c.login.key, false, true))
	if p.step%2 == 0 {
		time.Sleep(300 * time.Microsecond) // so that the hub starts processing it
	}
	s.conn.Closed()
	c.login.uncertain = 2
}

func (p *performance) logIn(st step, c *client, key string, token bool) error {
	resume := c.login != nil && c.opened < p.step
	s := &socket{p: p, user: c.user, client: c, base: c.held, login: c.login}
	if resume {
		s.base.resuming = true
	}
	s.conn = p.hubs[st.node].Open(s, chat.ConnectionInfo{})
	asked := p.time.Add(1)
	s.asked++
	s.conn.Handle(frame.Text, c.auth(key, token, resume))
	if err := s.await(s.answered); err != nil {
		return err
	}
	s.mu.Lock()
	answer := s.notes[0]
	s.mu.Unlock()
	if err := p.judge(c, key, token, asked, answer); err != nil {
		return fmt.Errorf("%w: session %+v, its answer %+v", err, c.login, answer)
	}
	if answer.Type != "auth_ok" {
		s.close()
		return nil
	}
	s.login = c.login
	c.login.open++
	p.open[st.conn] = s
	p.all = append(p.all, s)
	delete(p.away, st.conn)
	return p.sayAgain(s)
}

// sayAgain sends the unacknowledged messages again.
func (p *performance) sayAgain(s *socket) error {
	var again []event
	for _, ev := range s.base.asks {
		if ev.Op == "group" || ev.Op == "message" {
			again = append(again, ev)
		}
	}
	clear(s.base.asks)
	slices.SortFunc(again, func(a, b event) int { return int(a.at - b.at) })
	for _, ev := range again {
		s.again(ev)
	}
	return nil
}

// leave ends a connection of a client, which remembers what it has heard.
func (p *performance) leave(conn int) error {
	s := p.open[conn]
	delete(p.open, conn)
	s.close()
	s.login.open--
	s.login.idle = p.Log.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := replay(s)
	if err != nil {
		return err
	}
	c := *s.client
	c.login, c.held = s.login, m.carry()
	if !m.resuming {
		c.since = s.notes[0].ServerTS
	}
	p.away[conn] = &c
	return nil
}

// carry returns the state that a client has when its next connection begins.
func (m *model) carry() *model {
	next := newModel(m.user)
	hold := func(c chat.Conversation, v *view) {
		if v != nil && v.position != "" {
			held := *v
			next.held[c] = &held
		}
	}
	for c, v := range m.held {
		hold(c, v)
	}
	for _, views := range []map[string]*view{m.muted, m.in} {
		for room, v := range views {
			hold(chat.RoomConversation(room), v)
		}
	}
	for c, v := range m.talks {
		hold(c, v)
	}
	maps.Copy(next.asks, m.asks)
	next.reloads = slices.Clone(m.reloads)
	for i := range next.reloads {
		next.reloads[i].few = false // it is unknown how much it has missed in all
	}
	return next
}
