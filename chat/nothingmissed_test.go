package chat_test

import (
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// A client that has missed nothing has everything when its log-in is over: it hears its rooms at
// once, and does not wait for clients that have much to catch up with.
func TestNothingMissed(t *testing.T) {
	o := &tally{counts: map[string]int{}}
	c := newClock()
	parts := newMemory(t, c)
	log := &gatedLog{Log: parts.Log, asked: make(chan struct{}), gate: make(chan struct{})}
	parts.Log = log
	h := newHouseAt(t, c, func(cfg *chat.Config) {
		cfg.Engine, cfg.Observer, cfg.Workers, cfg.Limits.MessagesPerSecond = parts, o, 1, 0
	})
	bob := h.enter("bob", `"ack"`)
	bob.say(`{"type":"join","receiver_id":"lobby"}`) // the node stays subscribed
	enter := func() (d device) {
		p := h.connect()
		p.say(`{"type":"auth","token":"token-of-ada"}`)
		p.say(`{"type":"join","receiver_id":"lobby"}`)
		d.hears(h, p)
		bob.say(say("lobby", "one"))
		d.hears(h, p)
		h.leave(p)
		return d
	}
	late := enter()
	upToDate := enter() // which the other one has missed

	d := h.back(&late) // the engine takes its time
	<-log.asked
	other := h.back(&upToDate)
	for _, want := range []string{"auth_ok", "resume done"} {
		if m := other.tell(); m.summary() != want {
			t.Fatalf("heard %q, want %q", m.summary(), want)
		}
	}
	bob.say(say("lobby", "four"))
	if m := other.tell(); m.summary() != "group lobby four" {
		t.Errorf("heard %q", m.summary())
	}
	close(log.gate)
	want(t, late.hears(h, d), "auth_ok", "resume missed lobby one", "group lobby four", "resume done")
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := o.counts["waited for resumes"]; n != 1 {
		t.Errorf("%d steps waited for their turn among those of clients that catch up; want only that of the client that has missed something", n)
	}
}
