package chat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// shapedHouse has Ada, Bob and Eve in the lobby, which may send out 2 messages a second.
func shapedHouse(t *testing.T, change func(*chat.Config)) (h *house, o *tally, people []*peer) {
	t.Helper()
	o = &tally{counts: make(map[string]int)}
	h = newHouse(t, func(c *chat.Config) {
		c.Limits, c.Observer = chat.Limits{RoomMessagesPerSecond: 2}, o
		if change != nil {
			change(c)
		}
	})
	for _, name := range []string{"ada", "bob", "eve"} {
		p := h.enter(name, `"ack"`)
		p.say(`{"type":"join","receiver_id":"lobby"}`)
		p.hear()
		p.rest()
		people = append(people, p)
	}
	return h, o, people
}

// heard returns the contents of the room's messages among those that a peer has received.
func heard(messages []string) (contents []string) {
	for _, m := range messages {
		if _, rest, found := strings.Cut(m, `"content":"`); found && strings.HasPrefix(m, `{"type":"group"`) {
			content, _, _ := strings.Cut(rest, `"`)
			contents = append(contents, content)
		}
	}
	return contents
}

// A room sends out what it may, in order, however many write at once: what is too much is held
// back, each message until its time, and acknowledged then. A19: setting the clock changes
// nothing.
func TestRoomIsShaped(t *testing.T) {
	h, o, people := shapedHouse(t, nil)
	for i := range 3 {
		for j, p := range people {
			p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d%d"}`, i, j))
		}
	}
	sent := func() int {
		for _, p := range people {
			p.rest()
		}
		h.settle()
		return int(h.tail(chat.RoomConversation("lobby")).Seq)
	}
	// Two at once, which is what a second holds; then one of each person waits, and half a second
	// later the next one may pass.
	for i, want := range []int{2, 3, 4, 5, 6, 7, 8, 9, 9} {
		if n := sent(); n != want {
			t.Fatalf("after %d half seconds: %d messages; want %d", i, n, want)
		}
		h.clock.step(time.Hour)
		h.clock.step(-2 * time.Hour)
		if n := sent(); n != want {
			t.Fatalf("the wall clock has freed some: %d messages; want %d", n, want)
		}
		h.clock.advance(500 * time.Millisecond)
	}
	for j, p := range people {
		all := p.leftover()
		acked, own := 0, 0
		for _, content := range heard(all) {
			if content == fmt.Sprintf("%d%d", own, j) {
				own++
			}
		}
		for _, m := range all {
			if typeOf(t, m) == "ack" {
				acked++
			}
		}
		if len(heard(all)) != 9 || own != 3 || acked != 3 {
			t.Errorf("person %d has heard %d messages, %d of their own in order, and %d acknowledgements", j, len(heard(all)), own, acked)
		}
	}
	if o.counts["held back: room_messages_per_second"] == 0 || o.counts["limited: room_messages_per_second"] != 0 {
		t.Errorf("%v", o.counts)
	}
}

// A delivery to each member counts, and a message that would have to wait for too long is refused,
// with the time after which it would not. It takes no time of the room.
func TestRoomIsBusy(t *testing.T) {
	h, o, people := shapedHouse(t, func(c *chat.Config) {
		c.Limits = chat.Limits{RoomDeliveriesPerSecond: 3, MessagesPerSecond: 1000}
	})
	for _, p := range people[1:] { // one second for each message
		for i := range 4 {
			p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d"}`, i))
		}
	}
	others := make([]*peer, 8)
	for i := range others {
		others[i] = h.enter("ada", `"ack"`)
		others[i].say(`{"type":"group","receiver_id":"lobby","content":"too much","ref":"x"}`)
		others[i].rest()
	}
	refused := 0
	for _, p := range append(people, others...) {
		p.rest()
		for _, m := range p.leftover() {
			if typeOf(t, m) == "error" {
				refused++
				if !strings.Contains(m, `"code":429,"reason":"room_busy"`) || !strings.Contains(m, `"field":"receiver_id"`) || !strings.Contains(m, `"retry_after_ms":`) {
					t.Errorf("%s", m)
				}
			}
		}
	}
	if refused == 0 || refused != o.counts["limited: room_deliveries_per_second"] || refused != o.counts["refused: room_busy"] {
		t.Errorf("%d are refused; %v", refused, o.counts)
	}
	for range 8 {
		h.clock.advance(time.Minute)
		for _, p := range append(others, people...) {
			p.rest()
		}
	}
	h.clock.advance(time.Minute)
	h.settle()
	people[0].leftover()
	people[0].say(`{"type":"group","receiver_id":"lobby","content":"later"}`)
	if m := people[0].hear(); typeOf(t, m) != "ack" {
		t.Errorf("minutes later: %s", m)
	}
}

// What was said on another node takes its part of what the room may send out on this one; and what
// is said here counts once.
func TestRoomIsShapedAcrossNodes(t *testing.T) {
	h, _, people := shapedHouse(t, func(c *chat.Config) { c.Limits.RoomMessagesPerSecond = 10 })
	say := func(content string) {
		people[0].say(`{"type":"group","receiver_id":"lobby","content":"` + content + `"}`)
	}
	if n := h.hub.RoomDebt("lobby"); n != 0 {
		t.Fatalf("a silent room owes %v", n)
	}
	say("here")
	people[0].rest()
	h.settle()
	if n := h.hub.RoomDebt("lobby"); n != 100*time.Millisecond {
		t.Errorf("one message takes %v", n)
	}
	for range 4 { // another node's hub stores them, and this node's is told
		h.engine.Log.Append(ctx, []chat.Entry{{Conversation: chat.RoomConversation("lobby"), Message: &chat.Message{
			Sender: "u_zoe", SenderName: "Zoe", Timestamp: "1", Content: "there", Metadata: []byte("{}")}}}, func(int, chat.Result) {})
	}
	people[0].await("the other node's messages", func() bool { return strings.Contains(strings.Join(people[0].received, ""), `"seq":5`) })
	if n := h.hub.RoomDebt("lobby"); n != 500*time.Millisecond {
		t.Errorf("with four of another node it is %v", n)
	}
	h.clock.advance(time.Minute)
	say("here again")
	people[0].rest()
	h.settle()
	if n := h.hub.RoomDebt("lobby"); n != 100*time.Millisecond {
		t.Errorf("after a minute, one more takes %v", n)
	}
}

// A16: a user has at most so many connections. One more is told when to try again, and closed with
// 1013; when one has ended, another one may come. However many try, the count returns to 0.
func TestA16ConnectionsPerUser(t *testing.T) {
	o := &tally{counts: make(map[string]int)}
	h := newHouse(t, func(c *chat.Config) {
		c.Limits, c.Observer = chat.Limits{UserConnections: 2, Roles: map[string]float64{"bot": 2}}, o
	})
	var open []*peer
	for range 2 {
		open = append(open, h.enter("ada", ""))
	}
	for range 50 { // a reconnect storm
		p := h.connect()
		p.say(`{"type":"auth","token":"token-of-ada"}`)
		if m := p.hear(); !strings.Contains(m, `"code":429,"reason":"too_many_connections"`) || !strings.Contains(m, `"retry_after_ms":5000`) {
			t.Fatalf("a third connection: %s", m)
		}
		assertClosed(t, p, 1013, "too_many_connections")
		p.conn.Closed()
	}
	if n := o.counts["limited: connections_per_user"]; n != 50 {
		t.Errorf("%d refusals are counted", n)
	}
	h.enter("bob", "").conn.Closed()
	open[0].conn.Closed()
	h.settle()
	open[0] = h.enter("ada", "")
	for _, p := range open {
		p.conn.Closed()
	}
	h.settle()
	if s := h.hub.Stats(); s.Users != 0 {
		t.Errorf("%d users are connected", s.Users)
	}
	if sessions, err := h.engine.Sessions.List(ctx, "u_ada"); err != nil || len(sessions) != 3 {
		t.Errorf("%d sessions, %v: those that were refused are none", len(sessions), err)
	}
}

// The role that a token names stays with the session: a connection that resumes it is told the same numbers.
func TestRoleStaysWithTheSession(t *testing.T) {
	h := newHouse(t, func(c *chat.Config) { c.Limits.Roles = map[string]float64{"bot": 3, "root": 0} })
	for role, want := range map[string]string{"bot": `"messages_per_second":30,"burst":60,`, "root": `"messages_per_second":0,"burst":0,`, "other": `"messages_per_second":10,"burst":20,`} {
		p := h.connect()
		p.say(`{"type":"auth","token":"token-of-ada-as-` + role + `"}`)
		first := p.hear()
		var ok struct {
			SessionID string `json:"session_id"`
			ResumeKey string `json:"resume_key"`
		}
		if err := json.Unmarshal([]byte(first), &ok); err != nil || !strings.Contains(first, want) {
			t.Errorf("%s is told %s, want %s", role, first, want)
		}
		again := h.connect()
		again.say(`{"type":"auth","session_id":"` + ok.SessionID + `","resume_key":"` + ok.ResumeKey + `"}`)
		if m := again.hear(); !strings.Contains(m, want) || !strings.Contains(m, `"resumed":true`) {
			t.Errorf("%s resumes, and is told %s", role, m)
		}
	}
}
