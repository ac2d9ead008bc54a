package chat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Do takes a Connection")
			}
		}()
		h.hub.Do(ctx, ada.conn, h.parse(`{"type":"rooms"}`))
	}()
	h.stop()
	h.hub.Do(ctx, bob, h.parse(`{"type":"rooms"}`))
	if got := <-bob.answers; reasonOf(got) != "shutting_down" {
		t.Errorf("after Shutdown: %s", got)
	}
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

func (awayDirectory) Talks(ctx context.Context, _ string, _ int64, _ string, _ int) ([]chat.Talk, bool, error) {
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

// A hub shuts down while its clients go on talking, joining and leaving. Each operation has its
// answer, but for those that come after a connection has ended.
func TestShutdownUnderLoad(t *testing.T) {
	h, _ := newTappedHouse(t, nil)
	var wg sync.WaitGroup
	var halfway sync.WaitGroup
	for i := range 8 {
		p := h.enter([]string{"ada", "bob"}[i%2], `"ack","presence"`)
		halfway.Add(1)
		wg.Go(func() {
			for n := range 60 {
				if n == 30 {
					halfway.Done()
				}
				kind := []string{"group", "join", "leave", "group"}[n%4]
				p.say(fmt.Sprintf(`{"type":"%s","receiver_id":"room-%d","content":"x","ref":"r%d"}`, kind, n%3, n))
			}
			answers := 0
			p.await("the answers", func() bool {
				answers = 0
				for _, m := range p.received {
					if strings.Contains(m, `"ref":"r`) {
						answers++
					}
				}
				return answers >= 60
			})
			p.conn.Closed()
		})
	}
	halfway.Wait()
	h.stop()
	wg.Wait()
	counts, err := h.engine.Presence.Counts(ctx, []string{"room-0", "room-1", "room-2"})
	if diff := cmp.Diff([]int{0, 0, 0}, counts); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if s := h.hub.Stats(); s != (chat.Stats{}) {
		t.Errorf("left: %+v", s)
	}
}
