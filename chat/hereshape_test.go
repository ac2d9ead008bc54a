package chat_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Presence events count for what a room sends out. When there are too many, they wait, and only the last
// one of each user is told. Messages are not held up by them.
func TestPresenceIsShaped(t *testing.T) {
	h := newHouse(t, func(c *chat.Config) { c.Limits = chat.Limits{RoomMessagesPerSecond: 20} })
	watcher := h.enter("ada", `"presence","ack"`)
	watcher.say(`{"type":"join","receiver_id":"lobby"}`)
	h.settle()
	watcher.leftover()
	eve := h.enter("eve", "")
	const turns = 100
	for i := range turns {
		eve.say(fmt.Sprintf(`{"type":"%s","receiver_id":"lobby"}`, []string{"join", "leave"}[i%2]))
		eve.rest()
		h.clock.advance(100 * time.Microsecond)
		if eve.conn.Throttled() {
			h.clock.advance(time.Second)
		}
	}
	eve.say(`{"type":"join","receiver_id":"lobby"}`)
	for range 30 { // a second and more
		h.clock.advance(100 * time.Millisecond)
		h.settle()
	}
	events := eventsOf(t, watcher.leftover())
	if len(events) == 0 || len(events) >= turns || events[len(events)-1] != "joined u_eve lobby" {
		t.Errorf("%d events are told: %q", len(events), events)
	}
	if n := len(slices.Compact(events)); n < 2 {
		t.Errorf("told is nothing but %q", events)
	}
	watcher.say(`{"type":"group","receiver_id":"lobby","content":"at once"}`)
	watcher.rest()
	if watcher.conn.Throttled() {
		t.Error("a message waits for presence events")
	}
}
