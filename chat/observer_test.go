package chat_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// tally is a chat.Observer that counts in words.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (o *tally) add(n int, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts[fmt.Sprintf(format, args...)] += n
}

func (o *tally) ConnectionOpened()        { o.add(1, "opened") }
func (o *tally) ConnectionAuthenticated() { o.add(1, "authenticated") }
func (o *tally) ConnectionClosed()        { o.add(1, "closed") }

func (o *tally) Waited(q chat.Queue, d time.Duration) {
	if d < 0 {
		o.add(1, "waited for less than nothing")
	}
	o.add(1, "waited for %v", q)
}

func (o *tally) Appended(b chat.Batch) {
	if b.Took < 0 || b.Size == 0 {
		o.add(1, "a strange batch: %+v", b)
	}
	o.add(b.Size-b.Duplicates-b.Failed, "stored")
	o.add(b.Duplicates, "duplicates")
	o.add(b.Failed, "failed")
}

func (o *tally) Delivered(d chat.Delivery, n int) {
	o.add(1, "%v fan-outs", d)
	o.add(n, "%v deliveries", d)
}

func (o *tally) Refused(reason string) { o.add(1, "refused: %s", reason) }
func (o *tally) Limited(l chat.Limit)  { o.add(1, "limited: %v", l) }
func (o *tally) HeldBack(l chat.Limit) { o.add(1, "held back: %v", l) }

// An Observer is told of everything once.
func TestObserver(t *testing.T) {
	o := &tally{counts: map[string]int{}}
	h := newHouse(t, func(c *chat.Config) { c.Observer = o })
	ada := h.enter("ada", `"presence"`)
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	ada.rest()
	bob, phone := h.enter("bob", ""), h.enter("bob", "")
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	bob.rest()
	h.settle() // bob's phone is in the room, too
	ada.say(`{"type":"group","receiver_id":"lobby","content":"x","ref":"once"}`)
	ada.rest()
	ada.say(`{"type":"group","receiver_id":"lobby","content":"x","ref":"once"}`)
	ada.say(`{"type":"message","receiver_id":"u_bob","content":"y"}`)
	ada.rest()
	ada.say(`{"type":"history","receiver_id":"lobby"}`)
	ada.say(`{"type":"group","receiver_id":"lobby"}`)
	ada.say(`{"type":"history","receiver_id":"nowhere"}`)
	ada.say(`nonsense`)
	ada.rest()
	h.settle()
	if s := h.hub.Stats(); s != (chat.Stats{Users: 2, Rooms: 1}) {
		t.Errorf("the hub holds %+v", s)
	}
	h.rename(chat.User{ID: "u_bob", Name: "Robert"})
	bob.conn.Closed()
	phone.conn.Closed()
	stranger := h.connect()
	stranger.say(`{"type":"auth","token":"forged"}`)
	stranger.hearClose()
	stranger.conn.Closed()
	h.settle()
	want := map[string]int{
		"opened": 4, "authenticated": 3, "closed": 3,
		"waited for logins": 4, "waited for lookups": 4, "waited for queries": 2, "waited for sequencers": 3,
		"stored": 2, "duplicates": 1, "failed": 0,
		"room fan-outs": 1, "room deliveries": 3, "private fan-outs": 1, "private deliveries": 3,
		"joined fan-outs": 2, "joined deliveries": 2, "left fan-outs": 1, "left deliveries": 1, "renamed fan-outs": 1, "renamed deliveries": 1,
		"refused: missing_field": 1, "refused: unknown_room": 1, "refused: not_json": 1, "refused: token_refused": 1,
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if d := cmp.Diff(want, o.counts); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// silentActor is an actor without a connection.
type silentActor struct{ answered chan *chat.Failure }

func (silentActor) User() chat.User       { return chat.User{ID: "u_ada", Name: "Ada"} }
func (silentActor) Subject() chat.Subject { return chat.Subject{UserID: "u_ada"} }

func (a silentActor) Answer(_ *chat.Operation, _ []byte, fail *chat.Failure) { a.answered <- fail }

// brokenLog stores nothing.
type brokenLog struct{ chat.Log }

func (brokenLog) Append(_ context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	for i := range entries {
		done(i, chat.Result{Err: chat.ErrOutcomeUnknown})
	}
}

// What is refused to an actor that is no connection counts, too, and so does what cannot be
// stored.
func TestObserverOfFailures(t *testing.T) {
	o := &tally{counts: map[string]int{}}
	h := newHouse(t, func(c *chat.Config) {
		c.Engine = openStore(t, t.TempDir(), newClock()).Parts()
		c.Engine.Log = brokenLog{c.Engine.Log}
		c.Observer = o
	})
	a := silentActor{make(chan *chat.Failure, 1)}
	for _, text := range []string{`{"type":"join","receiver_id":"lobby"}`, `{"type":"group","receiver_id":"lobby","content":"x"}`} {
		op, fail := h.hub.Parse([]byte(text))
		if fail != nil {
			t.Fatal(fail)
		}
		h.hub.Do(ctx, a, op)
		if fail := <-a.answered; fail == nil {
			t.Errorf("%s was not refused", text)
		}
	}
	h.settle()
	o.mu.Lock()
	defer o.mu.Unlock()
	want := map[string]int{"waited for sequencers": 1, "stored": 0, "duplicates": 0, "failed": 1, "refused: needs_connection": 1, "refused: outcome_unknown": 1}
	if d := cmp.Diff(want, o.counts); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
