package redis

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// patience bounds the waiting for what must come.
const patience = 30 * time.Second

const (
	lobby = chat.Conversation("r:lobby")
	attic = chat.Conversation("r:attic")
)

// ear is a chat.Receiver that remembers.
type ear struct {
	mu sync.Mutex
	// Guarded by mu.
	heard map[chat.Conversation][]string
	lost  map[chat.Conversation][]string // epochs
	here  map[string]int                 // events by their kinds
	ends  []string
}

func newEar() *ear {
	return &ear{heard: map[chat.Conversation][]string{}, lost: map[chat.Conversation][]string{}, here: map[string]int{}}
}

func (e *ear) Deliver(c chat.Conversation, ch *chat.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[c] = append(e.heard[c], ch.Message.Content)
}

func (e *ear) Lost(c chat.Conversation, now chat.Tail) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost[c] = append(e.lost[c], now.Epoch)
}

func (e *ear) Here(room string, ev chat.PresenceEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.here[ev.Kind.String()]++
}

func (e *ear) Renamed(chat.User) {}

func (e *ear) Member(string, string, bool) {}

func (e *ear) Ended(userID, sessionID string, why chat.Ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ends = append(e.ends, fmt.Sprintf("%s %q %s", userID, sessionID, why))
}

func (e *ear) Banned(chat.Ban) {}

// of is what was heard of a conversation.
func (e *ear) of(c chat.Conversation) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard[c])
}

func (e *ear) losses(c chat.Conversation) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.lost[c])
}

func (e *ear) events(kind string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.here[kind]
}

// await waits until something is true.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// open opens an engine that ends with the test.
func open(t testing.TB, cfg Config) *Engine {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(ctx) })
	return e
}

// attach attaches a node that subscribes to conversations, until the test ends.
func attach(t testing.TB, e *Engine, cs ...chat.Conversation) (*node, *ear) {
	t.Helper()
	r := newEar()
	n := e.broker.Attach(r).(*node)
	t.Cleanup(n.Detach)
	for _, c := range cs {
		if _, err := n.Subscribe(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	return n, r
}

func message(sender, content, ref string) *chat.Message {
	return &chat.Message{Sender: sender, SenderName: "Ada", Timestamp: "1", Content: content, Metadata: []byte("{}"), Ref: ref}
}

// try appends a message once.
func try(e *Engine, c chat.Conversation, content, ref string) (r chat.Result) {
	e.store.Append(ctx, []chat.Entry{{Conversation: c, Message: message("u_ada", content, ref)}}, func(_ int, one chat.Result) { r = one })
	return r
}

// say appends messages, each of which must be stored.
func say(t testing.TB, e *Engine, c chat.Conversation, contents ...string) (last chat.Result) {
	t.Helper()
	for _, content := range contents {
		if last = try(e, c, content, ""); last.Err != nil {
			t.Fatal(last.Err)
		}
	}
	return last
}

// insist appends a message, as a client does that repeats it until it is acknowledged.
func insist(t testing.TB, e *Engine, c chat.Conversation, content string) chat.Result {
	t.Helper()
	var r chat.Result
	await(t, "an acknowledgement of "+content, func() bool {
		r = try(e, c, content, content)
		return r.Err == nil
	})
	return r
}

// stored is what a conversation has.
func stored(t testing.TB, e *Engine, c chat.Conversation) (contents []string) {
	t.Helper()
	page, err := e.store.History(ctx, chat.HistoryQuery{Conversation: c, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Messages {
		contents = append(contents, m.Content)
	}
	return contents
}

func put(t testing.TB, e *Engine, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := e.store.PutUser(ctx, chat.User{ID: id, Name: "Name of " + id}); err != nil {
			t.Fatal(err)
		}
	}
}
