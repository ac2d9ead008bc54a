package chat_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// eventsOf are the system messages of m, as "event user room".
func eventsOf(t *testing.T, messages []string) (events []string) {
	t.Helper()
	for _, m := range messages {
		var e struct {
			Type     string `json:"type"`
			Event    string `json:"event"`
			User     string `json:"user_id"`
			Receiver string `json:"receiver_id"`
		}
		if err := json.Unmarshal([]byte(m), &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == "system" {
			events = append(events, e.Event+" "+e.User+" "+e.Receiver)
		}
	}
	return events
}

// A person joins with the first connection and leaves with the last, however it
// goes.
func TestPresenceEvents(t *testing.T) {
	h := newHouse(t, nil)
	watcher := h.enter("ada", `"presence"`)
	watcher.say(`{"type":"join","receiver_id":"lobby"}`)
	watcher.say(`{"type":"join","receiver_id":"lobby"}`) // changes nothing
	phone, laptop := h.enter("bob", ""), h.enter("bob", "")
	phone.say(`{"type":"join","receiver_id":"lobby"}`)
	h.settle()
	laptop.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	h.settle()
	phone.say(`{"type":"leave","receiver_id":"lobby"}`)
	phone.say(`{"type":"leave","receiver_id":"lobby"}`) // changes nothing
	h.settle()
	watcher.say(`{"type":"presence","receiver_id":"u_bob","ref":"r"}`)
	h.settle()
	laptop.conn.Closed()
	h.settle()
	got := eventsOf(t, watcher.leftover())
	if diff := cmp.Diff([]string{"joined u_ada lobby", "joined u_bob lobby", "left u_bob lobby"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.settle()
	watcher.say(`{"type":"presence","receiver_id":"lobby"}`)
	if m := watcher.hear(); !strings.Contains(m, `"users":[{"user_id":"u_ada","name":"Ada"}],"has_more":false`) {
		t.Errorf("presence: %s", m)
	}
	watcher.say(`{"type":"presence","receiver_id":"u_bob"}`)
	if m := watcher.hear(); !strings.Contains(m, `"users":[{"user_id":"u_bob","name":"Bob"}]`) {
		t.Errorf("the phone is still connected, but %s", m)
	}
	phone.conn.Closed()
	h.settle()
	watcher.say(`{"type":"presence","receiver_id":"u_bob"}`)
	if m := watcher.hear(); !strings.Contains(m, `"users":[]`) {
		t.Errorf("nobody is connected, but %s", m)
	}
}

// Who left hears nothing more of the room.
func TestLeave(t *testing.T) {
	h := newHouse(t, nil)
	ada, bob := h.enter("ada", `"presence"`), h.enter("bob", "")
	eve := h.enter("eve", "") // who stays
	eve.say(`{"type":"join","receiver_id":"lobby"}`)
	eve.hear()
	h.settle()
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	ada.say(`{"type":"leave","receiver_id":"lobby"}`)
	for range 3 { // two acks, and that she joined
		ada.hear()
	}
	bob.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	h.settle()
	if more := ada.leftover(); more != nil {
		t.Errorf("ada heard %q", more)
	}
}

// A private message reaches every connection of both people, once, and nobody else.
func TestPrivateMessage(t *testing.T) {
	h := newHouse(t, nil)
	ada1, ada2, bob1, bob2 := h.enter("ada", ""), h.enter("ada", ""), h.enter("bob", ""), h.enter("bob", "")
	eve := h.enter("eve", `"presence","ack","system"`)
	ada1.say(`{"type":"message","receiver_id":"u_bob","content":"to bob"}`)
	bob1.say(`{"type":"message","receiver_id":"u_ada","content":"to ada"}`)
	h.settle()
	ada1.say(`{"type":"message","receiver_id":"u_ada","content":"to myself"}`)
	h.settle()
	contents := func(messages []string) (c []string) {
		for _, m := range messages {
			c = append(c, placeOf(t, m).Content)
		}
		return c
	}
	for who, c := range map[string]struct {
		p    *peer
		want []string
	}{
		"ada1": {ada1, []string{"to bob", "to ada", "to myself"}},
		"ada2": {ada2, []string{"to bob", "to ada", "to myself"}},
		"bob1": {bob1, []string{"to bob", "to ada"}},
		"bob2": {bob2, []string{"to bob", "to ada"}},
		"eve":  {eve, nil},
	} {
		if diff := cmp.Diff(c.want, contents(c.p.leftover())); diff != "" {
			t.Errorf("%s heard (-want +got):\n%s", who, diff)
		}
	}
	// Whoever is away finds it later.
	bob1.conn.Closed()
	bob2.conn.Closed()
	h.settle()
	ada1.say(`{"type":"message","receiver_id":"u_bob","content":"for later"}`)
	h.settle()
	bob := h.enter("bob", "")
	bob.say(`{"type":"peers"}`)
	if m := bob.hear(); !strings.Contains(m, `"peers":[{"user_id":"u_ada","name":"Ada","seq":3,`) {
		t.Errorf("peers: %s", m)
	}
	bob.say(`{"type":"history","receiver_id":"u_ada","after_seq":2}`)
	if m := bob.hear(); !strings.Contains(m, "for later") {
		t.Errorf("history: %s", m)
	}
}
