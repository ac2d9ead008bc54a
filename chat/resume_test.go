package chat_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// awayMembers is a Members that fails as long as it is away.
type awayMembers struct {
	chat.Members
	mu   sync.Mutex
	away map[string]bool // by method; "": all
}

var errAway = errors.New("away")

func (m *awayMembers) set(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = map[string]bool{"": away}
}

// fail has only one method fail.
func (m *awayMembers) fail(method string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = map[string]bool{method: true}
}

func (m *awayMembers) err(method string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away[""] || m.away[method] {
		return errAway
	}
	return nil
}

func (m *awayMembers) Join(ctx context.Context, room, userID string) (bool, error) {
	if err := m.err("Join"); err != nil {
		return false, err
	}
	return m.Members.Join(ctx, room, userID)
}

func (m *awayMembers) IsMember(ctx context.Context, room, userID string) (bool, error) {
	if err := m.err("IsMember"); err != nil {
		return false, err
	}
	return m.Members.IsMember(ctx, room, userID)
}

func (m *awayMembers) RoomsOf(ctx context.Context, userID, after string, limit int) ([]chat.Membership, bool, error) {
	if err := m.err("RoomsOf"); err != nil {
		return nil, false, err
	}
	return m.Members.RoomsOf(ctx, userID, after, limit)
}

// device is a client that reconnects: what it keeps between its connections.
type device struct {
	session, key string
	positions    map[string]string
	since        int64
}

// take notes what a message says about where the client is.
func (d *device) take(m told) {
	d.since = max(d.since, m.ServerTS)
	if m.Session != "" && m.Key != "" {
		d.session, d.key = m.Session, m.Key
	}
	where := m.Receiver
	if where == "u_ada" { // the tests' devices are hers
		where = "u_bob"
	}
	if m.Position != "" {
		if d.positions == nil {
			d.positions = make(map[string]string)
		}
		d.positions[where] = m.Position
	}
	for _, in := range m.Messages {
		d.take(in)
	}
	if m.Status == "gone" {
		delete(d.positions, m.Receiver)
	}
}

// hears has a device take everything that it has heard, and returns the summaries.
func (d *device) hears(h *house, p *peer) (heard []string) {
	h.t.Helper()
	h.settle()
	for p.some() {
		m := p.tell()
		d.take(m)
		heard = append(heard, m.summary())
	}
	return heard
}

func (p *peer) some() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.received) > 0
}

// auth is what a device says when it is back.
func (d *device) auth() string {
	var positions []string
	for where, at := range d.positions {
		positions = append(positions, fmt.Sprintf("%q:%q", where, at))
	}
	return fmt.Sprintf(`{"type":"auth","session_id":%q,"resume_key":%q,"resume":{"positions":{%s},"since":%d}}`,
		d.session, d.key, strings.Join(positions, ","), d.since)
}

func (h *house) back(d *device) *peer {
	p := h.connect()
	p.say(d.auth())
	return p
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("heard\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// leave ends a connection.
func (h *house) leave(p *peer) {
	p.conn.Closed()
	h.settle()
}

// What was missed comes once, in order, with what is said after that behind it.
func TestResume(t *testing.T) {
	h := newHouse(t, nil)
	ada, bob := h.enter("ada", `"ack","system"`), h.enter("bob", "")
	ada.leftover()
	ada.conn.Closed()
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada","features":["ack","system"],"device":"Laptop"}`)
	p.say(`{"type":"join","receiver_id":"lobby"}`)
	p.say(`{"type":"join","receiver_id":"attic"}`)
	h.settle()
	bob.say(`{"type":"message","receiver_id":"u_ada","content":"psst"}`)
	bob.say(say("lobby", "one"))
	d.hears(h, p)
	h.leave(p)
	p = h.back(&d)
	want(t, d.hears(h, p), "auth_ok", "resume done")

	h.leave(p)
	bob.say(say("lobby", "two"))
	bob.say(say("lobby", "three"))
	bob.say(`{"type":"message","receiver_id":"u_ada","content":"hey"}`)
	eve := h.enter("eve", "")
	eve.say(`{"type":"message","receiver_id":"u_ada","content":"hello"}`)
	h.settle()
	phone := h.enter("ada", "")
	phone.say(`{"type":"leave","receiver_id":"attic"}`)
	phone.say(`{"type":"join","receiver_id":"cellar"}`)
	h.settle()
	p = h.back(&d)
	heard := d.hears(h, p)
	if heard[0] != "auth_ok" || heard[len(heard)-1] != "resume done" {
		t.Errorf("heard %q", heard)
	}
	missed := strings.Join(heard, "\n") + "\n"
	for _, part := range []string{"resume missed lobby two three\n", "resume missed u_bob hey\n", "resume gone attic\n", "resume new cellar\n", "resume new u_eve\n"} {
		if strings.Count(missed, part) != 1 {
			t.Errorf("%q is not there once:\n%s", part, missed)
		}
	}
	if len(heard) != 7 {
		t.Errorf("heard %q", heard)
	}
	bob.say(say("lobby", "four"))
	h.wantTold(p, "group lobby four")
}

// gatedLog holds Changes back, so that something can happen meanwhile.
type gatedLog struct {
	chat.Log
	asked chan struct{}
	gate  chan struct{}
}

func (l *gatedLog) Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) ([]chat.Change, bool, error) {
	l.asked <- struct{}{}
	<-l.gate
	return l.Log.Changes(ctx, c, after, limit)
}

// Messages that are said while a client catches up follow after what it has missed, once.
func TestSaidDuringResume(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(fmt.Sprint("private ", private), func(t *testing.T) {
			c := newClock()
			parts := newMemory(t, c)
			log := &gatedLog{Log: parts.Log, asked: make(chan struct{}), gate: make(chan struct{})}
			parts.Log = log
			h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits.MessagesPerSecond = parts, 0 })
			bob := h.enter("bob", `"ack"`)
			says := func(content string) {
				if private {
					bob.say(`{"type":"message","receiver_id":"u_ada","content":"` + content + `"}`)
				} else {
					bob.say(say("lobby", content))
				}
				for bob.tell().Type != "ack" {
				}
			}
			var d device
			p := h.connect()
			p.say(`{"type":"auth","token":"token-of-ada"}`)
			p.say(`{"type":"join","receiver_id":"lobby"}`)
			h.settle()
			says("1")
			d.hears(h, p)
			h.leave(p)
			for i := range 200 { // more than a page
				says(fmt.Sprint(i + 2))
			}
			p = h.back(&d)
			for range 2 {
				<-log.asked
				says("meanwhile")
				log.gate <- struct{}{}
			}
			h.settle()
			var numbers []string
			for p.some() {
				m := p.tell()
				for _, in := range append(m.Messages, m) {
					if in.Type == "group" || in.Type == "message" {
						numbers = append(numbers, fmt.Sprint(in.Seq))
					}
				}
			}
			var all []string
			for i := range 202 {
				all = append(all, fmt.Sprint(i+2))
			}
			want(t, numbers, all...)
		})
	}
}

// Too much to be sent, and what is of another history, is to be read anew.
func TestResumeReload(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits = newMemory(t, c), chat.Limits{} })
	bob := h.enter("bob", `"ack"`)
	fill := func(room string, n int) {
		for range n {
			bob.say(say(room, "x"))
			for bob.tell().Type != "ack" {
			}
		}
	}
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	for i := range 7 {
		p.say(fmt.Sprintf(`{"type":"join","receiver_id":"room-%d"}`, i))
	}
	d.hears(h, p)
	h.leave(p)
	for i := range 6 {
		fill(fmt.Sprint("room-", i), 1000)
	}
	fill("room-6", 1001)
	before := d.positions
	p = h.back(&d)
	messages := make(map[string]int)
	reloads := 0
	for _, m := range allTold(h, p) {
		if m.Status == "reload" {
			reloads++
			if m.Position == "" || m.Seq < 1000 {
				t.Errorf("%+v", m)
			}
		}
		messages[m.Receiver] += len(m.Messages)
	}
	if reloads != 2 || messages["room-6"] != 0 {
		t.Errorf("%d reloads, messages %v; want 2: room-6, and one that would make more than 5,000", reloads, messages)
	}
	h.leave(p)

	for name, position := range map[string]string{
		"another epoch": "abcdefghijklm.0.0", "another history": tagged(before["room-0"], 500), "the future": strings.Replace(before["room-0"], ".0.0", ".2000.1", 1), "nonsense": "..", "nothing": "",
	} {
		p := h.connect()
		p.say(fmt.Sprintf(`{"type":"auth","token":"token-of-ada","resume":{"positions":{"room-0":%q}}}`, position))
		var statuses []string
		for _, m := range allTold(h, p) {
			if m.Receiver == "room-0" {
				statuses = append(statuses, m.Status)
			}
		}
		if strings.Join(statuses, " ") != "reload" {
			t.Errorf("%s: %q was answered by %q", name, position, statuses)
		}
		h.leave(p)
	}
}

// tagged is a position after another change, with a tag that is not that one's.
func tagged(position string, change int) string {
	return strings.Replace(position, ".0.0", fmt.Sprintf(".%d.0", change), 1)
}

func allTold(h *house, p *peer) (all []told) {
	h.t.Helper()
	h.settle()
	for p.some() {
		all = append(all, p.tell())
	}
	return all
}

// Answers are not larger than 256 KiB, and wait for a client that reads slowly.
func TestResumePace(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = chat.Limits{} })
	bob := h.enter("bob", `"ack"`)
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	p.say(`{"type":"join","receiver_id":"lobby"}`)
	d.hears(h, p)
	h.leave(p)
	const messages, size = 40, 30 << 10
	for range messages {
		bob.say(say("lobby", strings.Repeat("x", size)))
		for bob.tell().Type != "ack" {
		}
	}
	p = h.connect()
	p.buffered = 1 << 20
	p.say(d.auth())
	p.say(say("lobby", "later"))
	h.clock.advance(time.Second)
	if m := p.tell(); m.Type != "auth_ok" {
		t.Fatalf("%+v", m)
	}
	n := strings.Count(p.hear(), `"type":"group"`) // what is sent when nothing waits
	for h.clock.pending() == 0 {
		runtime.Gosched()
	}
	for _, text := range p.leftover() {
		n += strings.Count(text, `"type":"group"`)
	}
	for range 10 {
		h.clock.advance(time.Second)
	}
	if p.some() {
		t.Fatal("an answer did not wait until the one before was written")
	}
	p.mu.Lock()
	p.buffered = 0
	p.mu.Unlock()
	h.clock.advance(time.Second)
	for n < messages {
		text := p.hear()
		if len(text) > 256<<10+300 {
			t.Errorf("an answer has %d bytes", len(text))
		}
		n += strings.Count(text, `"type":"group"`)
	}
	want(t, d.hears(h, p), "resume done", "group lobby later")
}

// The key is another one each time; the one before is good until the new one is used.
func TestResumeKeys(t *testing.T) {
	h := newHouse(t, nil)
	var first, second, third device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada","features":["presence"]}`)
	first.hears(h, p)
	p = h.back(&first) // the first connection is still there
	second = first
	second.hears(h, p)
	p = h.back(&first) // as if the answer was lost
	third = first
	third.hears(h, p)
	if first.session != third.session || first.key == third.key || second.key == third.key {
		t.Errorf("sessions %+v, %+v, %+v", first, second, third)
	}
	for name, auth := range map[string]string{
		"a replaced key": second.auth(), "no such session": (&device{session: "s_0", key: third.key}).auth(), "an empty key": `{"type":"auth","session_id":"s_0","resume_key":"x"}`,
	} {
		p := h.connect()
		p.say(auth)
		if m := p.tell(); m.Reason != "session_refused" {
			t.Errorf("%s: %+v", name, m)
		}
		assertClosed(t, p, 1008, "session_refused")
	}
	p = h.back(&third)
	m := p.tell()
	if !m.Resumed || strings.Join(m.Features, " ") != "presence" {
		t.Errorf("resumed: %+v", m)
	}
	// With a token beside them there is a new session.
	p = h.connect()
	p.say(strings.Replace(second.auth(), `"session_id"`, `"token":"token-of-ada","session_id"`, 1))
	if m := p.tell(); m.Type != "auth_ok" || m.Resumed || m.Session == first.session {
		t.Errorf("with a token beside them: %+v", m)
	}
	// A certificate of somebody else.
	p = h.connectAs("u_bob")
	p.say(`{"type":"auth","session_id":"` + m.Session + `","resume_key":"` + m.Key + `"}`)
	if m := p.tell(); m.Reason != "certificate_mismatch" {
		t.Errorf("with bob's certificate: %+v", m)
	}
}

// A session ends half an hour after its last connection.
func TestSessionExpires(t *testing.T) {
	h := newHouse(t, nil)
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	d.hears(h, p)
	h.clock.advance(time.Hour)
	h.leave(p)
	h.clock.advance(29 * time.Minute)
	p = h.back(&d)
	want(t, d.hears(h, p), "auth_ok", "resume done")
	h.leave(p)
	h.clock.advance(31 * time.Minute)
	p = h.back(&d)
	want(t, d.hears(h, p), "error session_refused")
}

// Sessions are listed and ended, on all devices at once.
func TestLogout(t *testing.T) {
	h := newHouse(t, nil)
	var d, e device
	p, q, bob := h.connect(), h.connect(), h.enter("bob", "")
	p.say(`{"type":"auth","token":"token-of-ada","device":"Phone"}`)
	d.hears(h, p)
	second := h.back(&d)
	d.hears(h, second)
	h.clock.advance(time.Second)
	q.say(`{"type":"auth","token":"token-of-ada"}`)
	e.hears(h, q)
	q.say(`{"type":"sessions"}`)
	if text := q.hear(); !strings.Contains(text, `"session_id":"`+d.session+`","device":"","address":"127.0.0.1"`) || !strings.Contains(text, `"connections":2,"current":false`) || strings.Index(text, e.session) > strings.Index(text, d.session) {
		t.Errorf("sessions: %s", text)
	}
	bob.say(`{"type":"logout","session_id":"` + d.session + `"}`)
	h.wantTold(bob, "error unknown_session")
	q.say(`{"type":"logout","session_id":"` + d.session + `"}`)
	h.wantTold(q, "ack logout")
	for _, gone := range []*peer{p, second} {
		h.wantTold(gone, "error session_ended")
		assertClosed(t, gone, 1008, "session_ended")
		gone.conn.Closed()
	}
	want(t, d.hears(h, h.back(&d)), "error session_refused")

	q.say(`{"type":"logout"}`)
	h.wantTold(q, "ack logout", "error session_ended")
	assertClosed(t, q, 1008, "session_ended")
	q.conn.Closed()
	want(t, e.hears(h, h.back(&e)), "error session_refused")
}

// Bans and deletions reach open connections, and those that come back.
func TestBanAndDelete(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = newMemory(t, c) })
	for name, c := range map[string]struct {
		do            func() error
		reason, later string
	}{
		"ada": {func() error { return h.hub.Ban(ctx, chat.Ban{UserID: "u_ada", Reason: "spam"}) }, "banned", "banned"},
		"bob": {func() error { return h.hub.DeleteUser(ctx, "u_bob") }, "user_deleted", "token_refused"},
	} {
		var d device
		p := h.connect()
		p.say(`{"type":"auth","token":"token-of-` + name + `"}`)
		d.hears(h, p)
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		h.wantTold(p, "error "+c.reason)
		assertClosed(t, p, 1008, c.reason)
		p.conn.Closed()
		want(t, d.hears(h, h.back(&d)), "error session_refused")
		p = h.connect()
		p.say(`{"type":"auth","token":"token-of-` + name + `"}`)
		h.wantTold(p, "error "+c.later)
	}
}

// What is wrong with what a client says it holds is named.
func TestResumeMistakes(t *testing.T) {
	h := newHouse(t, nil)
	var many []string
	for i := range 1001 {
		many = append(many, fmt.Sprintf(`"room-%d":"e.1.a"`, i))
	}
	for fields, reason := range map[string]string{
		`"resume_key":"x"`:                                                     "missing_field",
		`"session_id":"s_1"`:                                                   "missing_field",
		`"resume":{}`:                                                          "missing_field",
		`"token":"t","resume":[]`:                                              "wrong_kind",
		`"token":"t","resume":{"since":"x"}`:                                   "wrong_kind",
		`"token":"t","resume":{"since":1,"since":2}`:                           "duplicate_field",
		`"token":"t","resume":{"positions":[]}`:                                "wrong_kind",
		`"token":"t","resume":{"positions":{},"positions":{}}`:                 "duplicate_field",
		`"token":"t","resume":{"positions":{"a":1}}`:                           "wrong_kind",
		`"token":"t","resume":{"positions":{"a b":"e.1.a"}}`:                   "wrong_kind",
		`"token":"t","resume":{"positions":{"a":"e.1.a","\u0061":""}}`:         "duplicate_field",
		`"token":"t","resume":{"positions":{` + strings.Join(many, ",") + `}}`: "resume_too_long",
		`"token":"t","device":"` + strings.Repeat("é", 65) + `"`:               "device_too_long",
	} {
		p := h.connect()
		p.say(`{"type":"auth",` + fields + `}`)
		if m := p.tell(); m.Reason != reason {
			t.Errorf("%.80s: %+v; want %s", fields, m, reason)
		}
	}
}
