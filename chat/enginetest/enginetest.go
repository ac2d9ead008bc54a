package enginetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Place is where one engine keeps its data.
type Place interface {
	// Open opens the engine, which is new the first time, with a clock for its time. Close is
	// called before it is opened again, and the engine is not used after that.
	Open(t *testing.T, c chat.Clock) chat.Engine
	Close(t *testing.T)

	// Durable says whether stored data still exist when the engine is opened again.
	Durable() bool
}

// Bounded is a Place whose engine can drop the oldest messages of a conversation.
type Bounded interface {
	// Keep makes the engine keep that many messages of each conversation, or some more, once it
	// is opened again.
	Keep(messages int)
}

// Run runs every test of the contract, each in a new place.
func Run(t *testing.T, newPlace func(t *testing.T) Place) {
	for _, test := range []struct {
		name string
		run  func(*house)
	}{
		{"Append", testAppend},
		{"Contexts", testContexts},
		{"Append abandoned", testAppendAbandoned},
		{"S11 refs", testRefs},
		{"RefsExpire", testRefsExpire},
		{"RefsClockBack", testRefsClockBack},
		{"RefsManyWrongClocks", testRefsManyWrongClocks},
		{"S14 history by seq", testHistoryBySeq},
		{"S14 history by time", testHistoryByTime},
		{"S14 history by time, clock set back", testHistoryClockBack},
		{"S14 history, dropped messages", testHistoryDropped},
		{"S14 locate", testLocate},
		{"Changes", testChanges},
		{"RoundTrip", testRoundTrip},
		{"Rooms", testRooms},
		{"Talks", testTalks},
		{"Users", testUsers},
		{"Changes of users", testUserChanges},
		{"Changes of users at once", testUserChangesAtOnce},
		{"Looks", testLooks},
		{"Reopen", testReopen},
		{"Concurrent", testConcurrent},
		{"Subscriptions", testSubscriptions},
		{"Follow", testFollow},
		{"Presence", testPresence},
		{"What errors leave behind", testErrorsLeave},
		{"Renamed", testRenamed},
		{"Members", testMembers},
		{"Many members", testMembersMany},
		{"Members at once", testMembersConcurrent},
		{"Members and errors", testMembersErrors},
		{"Sessions", testSessions},
		{"Sessions expire", testSessionsExpire},
		{"Sessions, too many", testSessionsLimit},
		{"Valid from", testValidFrom},
		{"Sessions and errors", testSessionsErrors},
		{"Guests' memberships", testGuests},
		{"Guests return", testGuestsReturn},
		{"Nobody joins after the end", testJoinAfterEnd},
		{"Guests register", testGuestsRegister},
		{"Ends reach every node", testEndings},
		{"Bans", testBans},
		{"A14 bans of networks", testNetworkBans},
		{"bans that end", testBansEnd},
		{"Deleted", testDeleted},
		{"Two hubs", testTwoHubs},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &house{T: t, place: newPlace(t), newPlace: newPlace, clock: &Clock{wall: start}}
			h.open()
			defer func() { h.place.Close(t) }()
			test.run(h)
		})
	}
}

// house is an engine with methods for tests.
type house struct {
	*testing.T
	place    Place
	newPlace func(t *testing.T) Place
	clock    *Clock
	chat.Engine
}

func (h *house) open() { h.Engine = h.place.Open(h.T, h.clock) }

// reopen closes and opens the engine, and reports whether it remembers anything.
func (h *house) reopen() bool {
	if !h.place.Durable() {
		return false
	}
	h.place.Close(h.T)
	h.open()
	return true
}

var (
	ctx   = context.Background()
	start = time.UnixMilli(1754474400000)
)

const (
	lobby = chat.Conversation("r:lobby")
	attic = chat.Conversation("r:attic")
)

var adaBob = chat.PrivateConversation("u_ada", "u_bob")

// Clock is a chat.Clock that stands still until a test moves it.
type Clock struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

// Now implements chat.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

// Monotonic implements chat.Clock.
func (c *Clock) Monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono
}

// AfterFunc implements chat.Clock. No timer that an engine needs fires in a test.
func (c *Clock) AfterFunc(time.Duration, func()) (stop func() bool) {
	return func() bool { return true }
}

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
	c.mono += d
}

func (c *Clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}

// jump sets the clock, and waits until the engine has accepted it. The messages for that are in
// a conversation of their own.
func (h *house) jump(d time.Duration) {
	h.step(d)
	h.say("r:the-clock", "u_ada", "tick")
	h.clock.Pass(6 * time.Second)
	h.say("r:the-clock", "u_ada", "tock")
}

func (h *house) step(d time.Duration) { h.clock.step(d) }

// message returns a message that a test recognises by its content.
func message(sender, content string) *chat.Message {
	return &chat.Message{Sender: sender, SenderName: "Name of " + sender, Timestamp: "1754474400.25", Content: content, Metadata: []byte("{}")}
}

func withRef(m *chat.Message, ref string) *chat.Message {
	m.Ref = ref
	return m
}

// append stores entries, all of which must succeed.
func (h *house) append(entries ...chat.Entry) []chat.Result {
	h.Helper()
	results := make([]chat.Result, len(entries))
	told := 0
	h.Log.Append(ctx, entries, func(i int, r chat.Result) {
		results[i] = r
		told++
	})
	if told != len(entries) {
		h.Fatalf("%d results of %d entries", told, len(entries))
	}
	for i, r := range results {
		if r.Err != nil {
			h.Fatalf("entry %d: %v", i, r.Err)
		}
	}
	return results
}

func (h *house) say(c chat.Conversation, sender, content string) chat.Result {
	h.Helper()
	return h.append(chat.Entry{Conversation: c, Message: message(sender, content)})[0]
}

// fill stores "1" to "n" in c, ten ms apart; then another ten ms pass.
func (h *house) fill(c chat.Conversation, n int) (results []chat.Result) {
	h.Helper()
	for i := range n {
		results = append(results, h.say(c, "u_ada", fmt.Sprint(i+1)))
		h.clock.Pass(10 * time.Millisecond)
	}
	return results
}

func contents(page chat.Page) []string {
	var c []string
	for _, m := range page.Messages {
		c = append(c, m.Content)
	}
	return c
}
