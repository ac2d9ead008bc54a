package chat_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// program is an Actor that is no connection.
type program struct {
	user    string
	answers chan string
}

func newProgram(user string) *program { return &program{user, make(chan string, 10)} }

func (p *program) User() chat.User       { return chat.User{ID: p.user, Name: users[p.user]} }
func (p *program) Subject() chat.Subject { return chat.Subject{} }

func (p *program) Answer(op *chat.Operation, answer []byte, fail *chat.Failure) {
	if fail != nil {
		answer = fail.AppendJSON(nil, op.Ref())
	}
	p.answers <- string(answer)
}

func (h *house) parse(text string) *chat.Operation {
	h.t.Helper()
	op, fail := h.hub.Parse([]byte(text))
	if fail != nil {
		h.t.Fatal(fail)
	}
	return op
}

// Every operation can be done by an actor that is no connection, or says that it cannot.
func TestDo(t *testing.T) {
	h, _ := newTappedHouse(t, nil)
	ada := h.enter("ada", "")
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	ada.hear()
	bob := newProgram("u_bob")
	for _, c := range []struct{ text, want string }{
		{`{"type":"group","receiver_id":"lobby","content":"x","ref":"r"}`, `{"type":"ack","op":"group","receiver_id":"lobby"`},
		{`{"type":"message","receiver_id":"u_ada","content":"x"}`, `{"type":"ack","op":"message","receiver_id":"u_ada"`},
		{`{"type":"message","receiver_id":"u_nobody","content":"x"}`, `"reason":"unknown_user"`},
		{`{"type":"group","sender_id":"u_ada","receiver_id":"lobby","content":"x"}`, `"reason":"sender_mismatch"`},
		{`{"type":"auth","token":"token-of-ada","sender_id":"u_ada"}`, `"reason":"needs_connection"`},
		{`{"type":"join","receiver_id":"lobby"}`, `"reason":"needs_connection"`},
		{`{"type":"leave","receiver_id":"lobby"}`, `"reason":"needs_connection"`},
		{`{"type":"heartbeat","ref":"h"}`, `{"type":"heartbeat"`},
		{`{"type":"presence","receiver_id":"lobby"}`, `{"type":"presence"`},
		{`{"type":"history","receiver_id":"lobby"}`, `{"type":"history"`},
		{`{"type":"rooms"}`, `{"type":"rooms"`},
		{`{"type":"peers"}`, `{"type":"peers"`},
	} {
		h.hub.Do(ctx, bob, h.parse(c.text))
		if got := <-bob.answers; !strings.Contains(got, c.want) {
			t.Errorf("%s was answered by %s", c.text, got)
		}
	}
	for _, want := range []string{`"type":"group"`, `"type":"message"`} {
		if m := ada.hear(); !strings.Contains(m, want) || !strings.Contains(m, `"sender_id":"u_bob"`) {
			t.Errorf("ada heard %s", m)
		}
	}
	h.stop()
	h.hub.Do(ctx, bob, h.parse(`{"type":"rooms"}`))
	if got := <-bob.answers; reasonOf(got) != "shutting_down" {
		t.Errorf("after Shutdown: %s", got)
	}
}

// An operation that is done for a connection waits for its turn among the peer's own, and is
// not begun before auth.
func TestDoForAConnection(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	ada := h.enter("ada", `"ack"`)
	ada.open("lobby")
	release := store.hold()
	ada.say(`{"type":"group","receiver_id":"lobby","content":"x","ref":"1"}`)
	h.hub.Do(ctx, ada.conn, h.parse(`{"type":"rooms","ref":"2"}`))
	if m := ada.leftover(); m != nil {
		t.Errorf("heard %q", m)
	}
	release()
	for _, want := range []string{`"ref":"1"`, `"type":"group"`, `"ref":"2"`} {
		if m := ada.hear(); !strings.Contains(m, want) {
			t.Errorf("heard %s, want %s", m, want)
		}
	}
	ada.rest()
	stranger := h.connect()
	h.hub.Do(ctx, stranger.conn, h.parse(`{"type":"rooms"}`))
	assertClosed(t, stranger, 1008, "auth_required")
}

// When a hub has shut down, nobody is there by it any more, whether their connections have
// ended or not.
func TestShutdownLeaves(t *testing.T) {
	h, _ := newTappedHouse(t, nil)
	ada, bob := h.enter("ada", `"presence"`), h.enter("bob", "")
	for _, p := range []*peer{ada, bob} {
		p.say(`{"type":"join","receiver_id":"lobby"}`)
		p.hear()
		p.rest()
	}
	h.settle()
	ada.leftover()
	h.stop()
	counts, err := h.engine.Presence.Counts(ctx, []string{"lobby"})
	online, err2 := h.engine.Presence.Online(ctx, []string{"u_ada", "u_bob"})
	if err != nil || err2 != nil || counts[0] != 0 || len(online) != 0 {
		t.Errorf("in the lobby %v, online %v, %v", counts, online, errors.Join(err, err2))
	}
	if m := ada.leftover(); m != nil {
		t.Errorf("ada heard %q", m)
	}
	ada.conn.Closed()
	bob.conn.Closed()
}

// awayDirectory is a directory that cannot be reached.
type awayDirectory struct{ chat.Directory }

func (awayDirectory) Talks(ctx context.Context, _, _ string, _ int) ([]chat.Talk, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	return nil, false, errors.New("the wire is cut")
}

// An engine that is away is worth a line in 10 s, and an actor that waits no longer none.
func TestEngineAwayIsLoggedSeldom(t *testing.T) {
	var log lines
	h, _ := newTappedHouse(t, func(cfg *chat.Config) {
		cfg.Engine.Directory = awayDirectory{cfg.Engine.Directory}
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	bob := newProgram("u_bob")
	ask := func(ctx context.Context) {
		t.Helper()
		h.hub.Do(ctx, bob, h.parse(`{"type":"peers"}`))
		if got := <-bob.answers; reasonOf(got) != "store_unavailable" {
			t.Errorf("answered by %s", got)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	ask(gone)
	for range 50 {
		ask(ctx)
	}
	h.clock.advance(10 * time.Second)
	ask(ctx)
	if got := log.take(); strings.Count(got, "\n") != 2 || strings.Count(got, "the wire is cut") != 2 || !strings.Contains(got, "others=49") {
		t.Errorf("logged:\n%s", got)
	}
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	l.b.Reset()
	return s
}
