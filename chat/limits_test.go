package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// auth_ok says what a server has set.
func TestSettingsAreTold(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) {
		cfg.Limits = chat.Limits{MessagesPerSecond: 1, Burst: 2, Rooms: 3, Content: 4, Metadata: 5, MessageBytes: 6}
		cfg.Pages.History = 7
		cfg.HeartbeatInterval = 8 * time.Second
	})
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	m := p.hear()
	for _, want := range []string{`"heartbeat_interval":8,`, `"limits":{"message_bytes":6,"content_code_points":4,"metadata_bytes":5,` +
		`"ref_bytes":64,"messages_per_second":1,"burst":2,"rooms":3,"history":7}`} {
		if !strings.Contains(m, want) {
			t.Errorf("auth_ok is %s; want in it %s", m, want)
		}
	}
}

// Content and metadata are as long as the server lets them be.
func TestContentLimits(t *testing.T) {
	long, much := strings.Repeat("µ", 600), `{"x":"`+strings.Repeat("x", 5000)+`"}`
	for _, c := range []struct {
		limits            chat.Limits
		content, metadata string
		want              string
	}{
		{chat.Limits{Content: 3, Metadata: 4}, "µµµ", `{  }`, "ack"},
		{chat.Limits{Content: 3, Metadata: 4}, "µµµµ", `{}`, "content has 4 code points; 3 are allowed"},
		{chat.Limits{Content: 3, Metadata: 4}, "", `{   }`, "metadata has 5 bytes; 4 are allowed"},
		{chat.Limits{Content: 600, Metadata: len(much)}, long, much, "ack"},
		{chat.Limits{}, long, much, "ack"},
	} {
		h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = c.limits })
		p := h.enter("ada", "")
		p.say(`{"type":"group","receiver_id":"lobby","content":"` + c.content + `","metadata":` + c.metadata + `,"ref":"r"}`)
		if m := p.hear(); !strings.Contains(m, c.want) {
			t.Errorf("%+v: %.20s with %.20s is answered by %s; want %s", c.limits, c.content, c.metadata, m, c.want)
		}
	}
}

// Answers are as large as the server lets them be, and say that there is more.
func TestPages(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) {
		cfg.Limits = chat.Limits{}
		cfg.Pages = chat.Pages{History: 3, HistoryDefault: 2, HistoryBytes: 600, List: 2, ListDefault: 1, Presence: 1}
	})
	ada, bob := h.enter("ada", ""), h.enter("bob", "")
	for _, room := range []string{"attic", "cellar", "lobby"} {
		ada.open(room)
	}
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	bob.rest()
	for i := range 5 {
		ada.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d"}`, i))
	}
	ada.say(`{"type":"group","receiver_id":"cellar","content":"` + strings.Repeat("x", 1000) + `"}`)
	ada.say(`{"type":"group","receiver_id":"cellar","content":"` + strings.Repeat("y", 1000) + `"}`)
	ada.rest()
	h.settle()
	bob.leftover()
	for _, c := range []struct {
		ask   string
		unit  string
		count int
	}{
		{`"type":"history","receiver_id":"lobby"`, `"seq":`, 2},
		{`"type":"history","receiver_id":"lobby","limit":100`, `"seq":`, 2}, // a third one is beyond 600 bytes
		{`"type":"history","receiver_id":"lobby","limit":1`, `"seq":`, 1},
		{`"type":"history","receiver_id":"cellar"`, `"seq":`, 1},               // is larger than that, and comes all the same
		{`"type":"history","receiver_id":"cellar","after_seq":0`, `"seq":`, 1}, // likewise
		{`"type":"rooms"`, `"receiver_id":`, 1},
		{`"type":"rooms","limit":100`, `"receiver_id":`, 2},
		{`"type":"presence","receiver_id":"lobby"`, `"user_id":`, 1},
	} {
		bob.say(`{` + c.ask + `}`)
		m := bob.hear()
		if n := strings.Count(m, c.unit); n != c.count || !strings.Contains(m, `"has_more":true`) {
			t.Errorf("{%s} is answered by %s; want %d, and more", c.ask, m, c.count)
		}
	}
}

// HistoryDefault and ListDefault are never beyond the bounds themselves.
func TestPagesBelowTheirDefaults(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) {
		cfg.Limits, cfg.Pages = chat.Limits{}, chat.Pages{History: 1, List: 1}
	})
	p := h.enter("ada", "")
	p.open("attic")
	p.open("lobby")
	p.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	p.rest()
	h.settle()
	p.leftover()
	for _, ask := range []string{`"type":"history","receiver_id":"lobby"`, `"type":"rooms"`} {
		p.say(`{` + ask + `}`)
		if m := p.hear(); strings.Count(m, `"seq":`) != 1 || !strings.Contains(m, `"has_more":true`) {
			t.Errorf("{%s} is answered by %s", ask, m)
		}
	}
}

// A connection is read from until its queue is full, and again when half of it is free.
func TestConnectionQueue(t *testing.T) {
	h, store := newFaultyHouse(t, func(cfg *chat.Config) { cfg.Limits, cfg.ConnectionQueue = chat.Limits{}, 4 })
	p := h.enter("ada", `"ack"`)
	p.open("lobby")
	release := store.hold()
	said := 0
	for ; !p.paused && said < 200; said++ {
		p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d"}`, said))
	}
	if said != 8 { // 4 that the sequencer has, 4 that wait
		t.Errorf("paused after %d messages", said)
	}
	release()
	p.await("the end of the pause", func() bool { return !p.paused })
}

// A server may let any number of errors pass, or few.
func TestErrorsPerMinute(t *testing.T) {
	for _, allowed := range []int{0, 1, 3} {
		h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = chat.Limits{Errors: allowed} })
		p := h.enter("ada", "")
		n := 0
		for ; n < 100 && p.closed == 0; n++ {
			p.say(`{"type":"shout"}`)
		}
		if want := map[int]int{0: 100, 1: 1, 3: 3}[allowed]; n != want {
			t.Errorf("with %d allowed, closed after %d errors", allowed, n)
		}
	}
}
