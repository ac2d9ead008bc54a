package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// faultyLog is a log that a test can hold up or make fail.
type faultyLog struct {
	chat.Log

	mu   sync.Mutex
	err  error         // what Append answers instead of storing
	gate chan struct{} // Append waits until it is closed; nil: no waiting
	held chan struct{} // Append sends here before it waits
}

func (s *faultyLog) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	s.mu.Lock()
	err, gate := s.err, s.gate
	s.mu.Unlock()
	if gate != nil {
		s.held <- struct{}{}
		<-gate
	}
	if err != nil {
		for i := range entries {
			done(i, chat.Result{Err: err})
		}
		return
	}
	s.Log.Append(context.WithoutCancel(ctx), entries, done)
}

func (s *faultyLog) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// hold makes the next commits wait until the function it returns is called.
func (s *faultyLog) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := make(chan struct{})
	s.gate = gate
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate = nil
		close(gate)
	}
}

// newFaultyHouse is a house without rate limits on a faulty store.
func newFaultyHouse(t *testing.T, change func(*chat.Config)) (*house, *faultyLog) {
	c := newClock()
	parts := openStore(t, t.TempDir(), c).Parts()
	store := &faultyLog{Log: parts.Log, held: make(chan struct{}, 1000)}
	parts.Log = store
	h := newHouseAt(t, c, func(cfg *chat.Config) {
		cfg.Engine, cfg.Limits = parts, chat.Limits{}
		if change != nil {
			change(cfg)
		}
	})
	return h, store
}

// R06: while the store holds up the committer, nobody's event loop waits, and what
// does not need it works.
func TestR06StoreBlocks(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	ada, bob := h.enter("ada", `"ack"`), h.enter("bob", `"ack"`)
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	ada.hear()
	release := store.hold()
	ada.say(`{"type":"group","receiver_id":"lobby","content":"stuck","ref":"1"}`)
	<-store.held

	bob.say(`{"type":"group","receiver_id":"lobby","content":"behind it","ref":"2"}`) // returns
	ada.say(`{"type":"heartbeat"}`)
	if m := ada.hear(); typeOf(t, m) != "heartbeat" {
		t.Errorf("heartbeat was answered by %s", m)
	}
	eve := h.enter("eve", "")
	for _, ask := range []string{
		`{"type":"history","receiver_id":"lobby"}`,
		`{"type":"presence","receiver_id":"lobby"}`,
		`{"type":"rooms"}`, `{"type":"peers"}`,
	} {
		eve.say(ask)
		if m := eve.hear(); typeOf(t, m) != typeOf(t, ask) || strings.Contains(m, "stuck") {
			t.Errorf("%s was answered by %s", ask, m)
		}
	}
	bob.conn.Closed() // returns
	if more := ada.leftover(); more != nil {
		t.Errorf("before the commit ada heard %q", more)
	}
	release()
	if m := ada.hear(); typeOf(t, m) != "ack" {
		t.Errorf("the commit was answered by %s", m)
	}
	for i, content := range []string{"stuck", "behind it"} {
		if m := ada.hear(); !strings.Contains(m, content) || !strings.Contains(m, fmt.Sprintf(`"seq":%d`, i+1)) {
			t.Errorf("message %d is %s", i+1, m)
		}
	}
}

// S07: what the store refuses nobody is shown, and whoever wrote it is told; when the
// store is closed for writing for good, reading and joining go on.
func TestS07StoreFails(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	ada, bob := h.enter("ada", `"ack"`), h.enter("bob", `"presence"`)
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	bob.hear()
	bob.hear()
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	ada.hear()
	bob.hear() // that ada joined
	store.failWith(errors.New("the disk is gone"))
	for _, m := range []string{
		`{"type":"group","receiver_id":"lobby","content":"lost"}`,
		`{"type":"group","receiver_id":"lobby","content":"lost","ref":"1"}`,
		`{"type":"message","receiver_id":"u_bob","content":"lost"}`,
	} {
		ada.say(m)
		if reason := reasonOf(ada.hear()); reason != "store_unavailable" {
			t.Errorf("%s was answered by %q", m, reason)
		}
	}
	h.settle()
	if more := bob.leftover(); more != nil {
		t.Errorf("bob was shown %q", more)
	}
	store.failWith(fmt.Errorf("%w: the sync failed", chat.ErrOutcomeUnknown))
	ada.say(`{"type":"group","receiver_id":"lobby","content":"who knows","ref":"2"}`)
	want := `{"type":"error","code":503,"reason":"outcome_unknown","message":"it is not known whether the message was stored; send it again with the same ref","ref":"2"}`
	if diff := cmp.Diff(want, ada.hear()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	if m := ada.hear(); typeOf(t, m) != "ack" {
		t.Errorf("joining was answered by %s", m)
	}
	ada.say(`{"type":"history","receiver_id":"lobby"}`)
	if m := ada.hear(); !strings.Contains(m, `"messages":[]`) {
		t.Errorf("history: %s", m)
	}
	store.failWith(nil)
	ada.say(`{"type":"group","receiver_id":"lobby","content":"found","ref":"1"}`)
	if m := ada.hear(); typeOf(t, m) != "ack" || !strings.Contains(m, `"seq":1`) {
		t.Errorf("after it recovered: %s", m)
	}
	if m := bob.hear(); !strings.Contains(m, "found") {
		t.Errorf("after it recovered bob heard %s", m)
	}
}

// S11: the same ref gives the same place, on the same connection, another one, and
// after a restart; and one stored copy.
func TestS11SameRef(t *testing.T) {
	dir := t.TempDir()
	const again = `{"type":"group","receiver_id":"lobby","content":"once","ref":"r-1"}`
	var acks []string
	for range 2 { // two lives of the server
		c := newClock()
		store := openStore(t, dir, c)
		h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = store.Parts() })
		for range 2 { // two connections
			p := h.enter("ada", "")
			p.say(again)
			p.say(again)
			h.settle()
			for _, m := range p.leftover() {
				if typeOf(t, m) == "ack" {
					acks = append(acks, m)
				}
			}
			p.conn.Closed()
		}
		page, err := h.engine.Log.History(ctx, chat.HistoryQuery{Conversation: "r:lobby", Limit: 10})
		if err != nil || len(page.Messages) != 1 {
			t.Errorf("stored: %v, %v", page, err)
		}
		h.stop()
		store.Close(ctx)
	}
	if len(acks) != 8 {
		t.Fatalf("%d acks: %q", len(acks), acks)
	}
	for _, ack := range acks[1:] {
		if diff := cmp.Diff(acks[0], ack); diff != "" {
			t.Errorf("acks differ:\n%s", diff)
		}
	}
}

// place is what orders a message.
type place struct {
	Type     string `json:"type"`
	Receiver string `json:"receiver_id"`
	Seq      uint64 `json:"seq"`
	Content  string `json:"content"`
}

func placeOf(t *testing.T, m string) (p place) {
	t.Helper()
	if err := json.Unmarshal([]byte(m), &p); err != nil {
		t.Fatalf("%v in %s", err, m)
	}
	return p
}

// S12: a hundred writers in one room. Everybody sees seq 1, 2, 3 …; whoever joins
// in the middle hears everything after the seq of the ack, and nothing before it.
func TestS12HundredWriters(t *testing.T) {
	const writers, each = 100, 10
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits, cfg.Workers = chat.Limits{}, 4 })
	first := h.enter("ada", "")
	first.say(`{"type":"join","receiver_id":"lobby"}`)
	first.hear()
	var late []*peer
	var all sync.WaitGroup
	for w := range writers {
		p := h.enter("bob", "")
		all.Go(func() {
			for i := range each {
				p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d/%d"}`, w, i))
			}
		})
		if w%10 == 0 {
			q := h.enter("eve", "")
			late = append(late, q)
			all.Go(func() { q.say(`{"type":"join","receiver_id":"lobby"}`) })
		}
	}
	all.Wait()
	next := make(map[string]int) // what each writer says next
	for seq := uint64(1); seq <= writers*each; seq++ {
		p := placeOf(t, first.hear())
		if p.Seq != seq {
			t.Fatalf("seq %d where %d should be", p.Seq, seq)
		}
		writer, i, _ := strings.Cut(p.Content, "/")
		if i != fmt.Sprint(next[writer]) {
			t.Fatalf("writer %s says %s where %d should be", writer, i, next[writer])
		}
		next[writer]++
	}
	for _, q := range late {
		// The join of another connection of the same user may have let it hear the room.
		joined := placeOf(t, q.hear())
		next := joined.Seq + 1
		for ; joined.Type != "ack"; joined = placeOf(t, q.hear()) {
			if joined.Seq >= next {
				next = joined.Seq + 1
			}
		}
		if joined.Seq >= next {
			next = joined.Seq + 1
		}
		for seq := next; seq <= writers*each; seq++ {
			if p := placeOf(t, q.hear()); p.Seq != seq {
				t.Fatalf("joined at %d, heard %d where %d should be", joined.Seq, p.Seq, seq)
			}
		}
	}
}

// A room that everybody leaves, or is cut off from, keeps its seq for whoever comes
// in the same batch and for whoever comes later.
func TestJoinAfterTheRoomEmptied(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	ada, bob := h.enter("ada", ""), h.enter("bob", "")
	ada.say(`{"type":"group","receiver_id":"lobby","content":"one"}`)
	ada.hear()

	release := store.hold()
	ada.say(`{"type":"group","receiver_id":"lobby","content":"two"}`)
	<-store.held
	ada.conn.Closed()
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	if p := placeOf(t, bob.hear()); p.Seq != 1 {
		t.Errorf("joined while a message was on its way at %+v", p)
	}
	release()
	if p := placeOf(t, bob.hear()); p.Seq != 2 || p.Content != "two" {
		t.Errorf("then heard %+v", p)
	}
	bob.say(`{"type":"leave","receiver_id":"lobby"}`)
	bob.hear()
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	if p := placeOf(t, bob.hear()); p.Seq != 2 {
		t.Errorf("joined later at %+v", p)
	}
}

// A repeated ref brings its sender back into a room that nobody is in; whoever
// joins then must hear the room's seq, not that of the repeated message.
func TestDuplicateIntoAnEmptyRoom(t *testing.T) {
	h := newHouse(t, nil)
	ada := h.enter("ada", "")
	ada.say(`{"type":"group","receiver_id":"lobby","content":"one","ref":"1"}`)
	ada.say(`{"type":"group","receiver_id":"lobby","content":"two","ref":"2"}`)
	h.settle()
	ada.conn.Closed()
	h.settle()
	ada = h.enter("ada", "")
	ada.say(`{"type":"group","receiver_id":"lobby","content":"one","ref":"1"}`)
	if p := placeOf(t, ada.hear()); p.Seq != 1 {
		t.Errorf("the ack says %+v", p)
	}
	bob := h.enter("bob", "")
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	if p := placeOf(t, bob.hear()); p.Seq != 2 {
		t.Errorf("joined at %+v", p)
	}
	bob.say(`{"type":"group","receiver_id":"lobby","content":"three"}`)
	if p := placeOf(t, ada.hear()); p.Seq != 3 {
		t.Errorf("ada, who is back, heard %+v", p)
	}
}

// When the queue of a session is full its peer is paused, and goes on later.
func TestPause(t *testing.T) {
	h, store := newFaultyHouse(t, func(cfg *chat.Config) { cfg.Limits = chat.Limits{} })
	p := h.enter("ada", `"ack"`)
	p.open("lobby")
	release := store.hold()
	said := 0
	for ; !p.paused && said < 200; said++ {
		p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d"}`, said))
	}
	if said != 64 { // 32 that the sequencer has, 32 that wait
		t.Errorf("paused after %d messages", said)
	}
	for range 10 { // what had been read already
		p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d"}`, said))
		said++
	}
	release()
	p.await("the end of the pause", func() bool { return !p.paused })
	for i := range said {
		p.hear() // the ack
		if m := placeOf(t, p.hear()); m.Content != fmt.Sprint(i) || m.Seq != uint64(i)+2 {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
}

// A peer that goes on delivering though it was paused is closed: the queue has an
// end.
func TestPauseIgnored(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	p := h.enter("ada", `"ack"`)
	p.open("lobby")
	release := store.hold()
	for range 1100 {
		p.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	}
	release()
	for i := range 32 { // those that were begun, which are answered before the close
		for m := placeOf(t, p.hear()); m.Type != "ack" || m.Seq != uint64(i)+2; m = placeOf(t, p.hear()) {
			if m.Type != "group" {
				t.Fatalf("message %d is answered by %+v", i, m)
			}
		}
	}
	assertClosed(t, p, 1008, "too_many_waiting")
}

// Beyond its queue the committer refuses, and says so; and so do the workers.
func TestOverloaded(t *testing.T) {
	h, store := newFaultyHouse(t, func(cfg *chat.Config) { cfg.Queue = 3 })
	ada, bob := h.enter("ada", `"ack"`), h.enter("bob", "")
	for _, p := range []*peer{ada, bob} {
		p.say(`{"type":"join","receiver_id":"lobby"}`)
		p.hear()
	}
	h.settle()
	release := store.hold()
	ada.say(`{"type":"group","receiver_id":"lobby","content":"held"}`)
	<-store.held
	for i := range 5 {
		bob.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"x","ref":"%d"}`, i))
	}
	for _, ref := range []string{"3", "4"} {
		want := `{"type":"error","code":503,"reason":"overloaded","message":"the server is overloaded; try again later","retry_after_ms":1000,"ref":"` + ref + `"}`
		if diff := cmp.Diff(want, bob.hear()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	bob.conn.Closed() // is never refused
	release()
	for range 5 { // the ack, and the four messages that were accepted
		ada.hear()
	}
	h.settle()
	ada.say(`{"type":"presence","receiver_id":"u_bob"}`)
	if m := ada.hear(); !strings.Contains(m, `"users":[]`) {
		t.Errorf("bob has left, but %s", m)
	}
}

// Where connections are closed over a time, the notice comes first, and until its
// own end each is served; it is told once.
func TestAnnounceShutdown(t *testing.T) {
	h := newHouse(t, nil)
	ada := h.enter("ada", `"system"`)
	h.hub.AnnounceShutdown()
	if m := ada.hear(); !strings.Contains(m, `"event":"shutting_down"`) {
		t.Errorf("heard %s", m)
	}
	ada.say(`{"type":"group","receiver_id":"lobby","content":"still here","ref":"1"}`)
	for _, want := range []string{"ack", "group"} {
		if m := ada.hear(); typeOf(t, m) != want {
			t.Errorf("heard %s, want %s", m, want)
		}
	}
	h.stop()
	ada.say(`{"type":"group","receiver_id":"lobby","content":"too late"}`)
	if reason := reasonOf(ada.hear()); reason != "shutting_down" {
		t.Errorf("reason %q", reason)
	}
}

func TestShutdown(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	ada, bob := h.enter("ada", `"system"`), h.enter("bob", `"presence"`)
	release := store.hold()
	bob.say(`{"type":"group","receiver_id":"lobby","content":"on its way","ref":"1"}`)
	<-store.held
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.stop()
	}()
	want := `{"type":"system","timestamp":1754474400.000,"sender_id":"system","receiver_id":"","content":"The server is shutting down",` +
		`"metadata":{},"event":"shutting_down","server_ts":1754474400000}`
	if diff := cmp.Diff(want, ada.hear()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ada.say(`{"type":"group","receiver_id":"lobby","content":"too late"}`)
	if reason := reasonOf(ada.hear()); reason != "shutting_down" {
		t.Errorf("reason %q", reason)
	}
	ada.say(`{"type":"heartbeat"}`)
	if m := ada.hear(); typeOf(t, m) != "heartbeat" {
		t.Errorf("heartbeat was answered by %s", m)
	}
	release()
	<-done
	var got []string
	for range 3 {
		got = append(got, typeOf(t, bob.hear()))
	}
	if diff := cmp.Diff([]string{"system", "ack", "group"}, got); diff != "" {
		t.Errorf("what was accepted before (-want +got):\n%s", diff)
	}
	h.connect().conn.Closed()
	ada.conn.Closed()
	bob.conn.Closed()
}

// What waits for its time when the server stops is answered while there is time.
func TestShutdownAnswersWhatWaits(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits.MessagesPerSecond, cfg.Limits.Burst = 1, 2 })
	p := h.enter("ada", `"ack"`)
	const n = 20
	for i := range n {
		p.say(fmt.Sprintf(`{"type":"message","receiver_id":"u_bob","content":"x","ref":"%d"}`, i))
	}
	h.settle()
	h.stop()
	acked, refused := 0, 0
	for acked+refused < n {
		m := p.hear()
		want := fmt.Sprintf(`"ref":"%d"`, acked+refused)
		switch {
		case typeOf(t, m) == "message":
			continue
		case typeOf(t, m) == "ack":
			acked++
		case reasonOf(m) == "shutting_down":
			refused++
		default:
			t.Fatalf("heard %s", m)
		}
		if !strings.Contains(m, want) {
			t.Fatalf("heard %s, want %s", m, want)
		}
	}
	if acked != 2 {
		t.Errorf("%d acknowledged, %d refused", acked, refused)
	}
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}
