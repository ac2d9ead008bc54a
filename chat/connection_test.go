package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// reasonOf is the reason of an error message, or "" if m is none.
func reasonOf(m string) string {
	_, rest, _ := strings.Cut(m, `"reason":"`)
	reason, _, _ := strings.Cut(rest, `"`)
	return reason
}

// assertClosed checks how a session was closed by the hub.
func assertClosed(t *testing.T, p *peer, code wsproto.CloseCode, reason string) {
	t.Helper()
	gotCode, gotReason := p.hearClose()
	if gotCode != code || gotReason != reason {
		t.Errorf("closed with %v %q, want %v %q", gotCode, gotReason, code, reason)
	}
}

// The simplest client there can be: no ref, no features, nothing but the flat
// fields and four types of message.
func TestFlatClient(t *testing.T) {
	h := newHouse(t, nil)
	rich := h.enter("ada", `"ack","presence","system"`)
	rich.say(`{"type":"join","receiver_id":"lobby"}`)

	flat := h.connect()
	// All at once, as a program that does not wait for answers sends it.
	flat.say(`{"type":"auth","timestamp":0,"sender_id":"","receiver_id":"","content":"","metadata":null,"token":"token-of-bob"}`)
	flat.say(`{"type":"group","timestamp":1,"sender_id":"u_bob","receiver_id":"lobby","content":"one","metadata":{}}`)
	flat.say(`{"type":"group","timestamp":2,"receiver_id":"lobby","content":"two"}`)
	flat.say(`{"type":"message","timestamp":3,"receiver_id":"u_ada","content":"three"}`)
	for range 4 { // auth_ok and its own three
		flat.hear()
	}
	flat.say(`{"type":"heartbeat","timestamp":4}`)
	flat.hear()
	rich.say(`{"type":"leave","receiver_id":"lobby"}`)
	rich.say(`{"type":"group","receiver_id":"lobby","content":"four"}`)
	rich.say(`{"type":"message","receiver_id":"u_bob","content":"five"}`)
	four, five := flat.hear(), flat.hear()
	h.settle()
	h.stop()
	if more := flat.leftover(); more != nil {
		t.Errorf("the flat client also heard %q", more)
	}
	for want, m := range map[string]string{
		`{"type":"group","timestamp":1754474400.000,"sender_id":"u_ada","receiver_id":"lobby","content":"four","metadata":{},`:   four,
		`{"type":"message","timestamp":1754474400.000,"sender_id":"u_ada","receiver_id":"u_bob","content":"five","metadata":{},`: five,
	} {
		if !strings.HasPrefix(m, want) {
			t.Errorf("heard %s\nwant %s…", m, want)
		}
	}
}

func TestPipelinedAuthJoinGroup(t *testing.T) {
	h := newHouse(t, nil)
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada","ref":"1"}`)
	p.say(`{"type":"join","receiver_id":"lobby","ref":"2"}`)
	p.say(`{"type":"group","receiver_id":"lobby","content":"hello","ref":"3"}`)
	p.say(`{"type":"history","receiver_id":"lobby","ref":"4"}`)
	p.say(`{"type":"leave","receiver_id":"lobby","ref":"5"}`)
	p.say(`{"type":"presence","receiver_id":"lobby","ref":"6"}`)
	var got []string
	for range 7 {
		m := p.hear()
		ref := ""
		if i := strings.LastIndex(m, `"ref":"`); i >= 0 {
			ref = m[i+7 : len(m)-2]
		}
		got = append(got, typeOf(t, m)+" "+ref)
	}
	want := []string{"auth_ok 1", "ack 2", "ack 3", "group ", "history 4", "ack 5", "presence 6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBinaryMessage(t *testing.T) {
	h := newHouse(t, nil)
	p := h.enter("ada", "")
	p.conn.Handle(frame.Binary, []byte(`{"type":"rooms"}`))
	if reason := reasonOf(p.hear()); reason != "binary_message" {
		t.Errorf("reason %q", reason)
	}
	assertClosed(t, p, 1003, "binary_message")
}

// The budget is ten errors in any minute, however they are spread.
func TestTooManyErrors(t *testing.T) {
	h := newHouse(t, nil)
	p := h.enter("ada", "")
	wrong := func() {
		t.Helper()
		p.say(`{"type":"shout"}`)
		if reason := reasonOf(p.hear()); reason != "unknown_type" {
			t.Fatalf("reason %q", reason)
		}
	}
	for range 30 { // nine within any minute
		wrong()
		h.clock.advance(time.Minute/9 + 1)
	}
	for range 20 { // names that do not exist are not counted
		p.say(`{"type":"message","receiver_id":"nobody","content":"x"}`)
		p.hear()
		h.clock.advance(time.Second / 10)
	}
	h.clock.advance(time.Hour)
	for range 9 {
		wrong()
	}
	if p.closed != 0 {
		t.Fatalf("closed too soon: %v", p.closed)
	}
	h.clock.advance(time.Minute)
	wrong()
	assertClosed(t, p, 1008, "too_many_errors")
	p.say(`{"type":"shout"}`)
	if more := p.leftover(); more != nil {
		t.Errorf("after the close: %q", more)
	}
}

// What was accepted before a session is closed is answered before the Close.
func TestAnsweredBeforeTheClose(t *testing.T) {
	for _, c := range []struct {
		how    string
		do     func(h *house, p *peer)
		code   wsproto.CloseCode
		reason string
	}{
		{"too many errors", func(h *house, p *peer) {
			for range 10 {
				p.say(`{"type":"shout"}`)
			}
		}, 1008, "too_many_errors"},
		{"binary", func(h *house, p *peer) { p.conn.Handle(frame.Binary, nil) }, 1003, "binary_message"},
		{"expired", func(h *house, p *peer) { h.clock.advance(time.Minute) }, 1008, "token_expired"},
	} {
		t.Run(c.how, func(t *testing.T) {
			h, store := newFaultyHouse(t, func(cfg *chat.Config) {
				cfg.Limits = chat.Limits{MessagesPerSecond: 1, Burst: 2, Errors: 10}
			})
			p := h.connect()
			p.say(`{"type":"auth","token":"token-of-ada-until-1754474460"}`)
			p.hear()
			p.say(`{"type":"join","receiver_id":"lobby"}`)
			p.hear()
			p.rest()
			h.clock.advance(5 * time.Second)
			release := store.hold()
			for i := range 3 { // two that are begun, and one that waits for its time
				p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"x","ref":"%d"}`, i))
			}
			c.do(h, p)
			p.say(`{"type":"group","receiver_id":"lobby","content":"too late","ref":"late"}`)
			release()
			h.clock.advance(time.Second)
			var acks []string
			for len(acks) < 3 {
				if m := p.hear(); typeOf(t, m) == "ack" {
					acks = append(acks, m)
				}
			}
			assertClosed(t, p, c.code, c.reason)
			p.conn.Closed()
			h.settle()
			if tail := h.tail("r:lobby"); tail.Seq != 3 {
				t.Errorf("%d messages were stored, want 3", tail.Seq)
			}
			if n := h.clock.pending(); n != 1 { // that of the empty room
				t.Errorf("%d timers are left", n)
			}
		})
	}
}

// A session that is being closed does not wait for a store that hangs.
func TestClosingHasAnEnd(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	p := h.enter("ada", "")
	defer store.hold()()
	p.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	p.conn.Handle(frame.Binary, nil)
	if p.hear(); p.closed != 0 {
		t.Fatal("closed before the message was answered")
	}
	h.clock.advance(10 * time.Second)
	assertClosed(t, p, 1003, "binary_message")
}
