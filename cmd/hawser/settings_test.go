package main

import (
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

// A page of history does not fill a small write queue.
func TestPagesFitTheWriteQueue(t *testing.T) {
	cfg := config.Default()
	if n := pages(cfg).HistoryBytes; n != 256<<10 {
		t.Errorf("%d bytes by default", n)
	}
	cfg.WriteQueue = 64 << 10
	if n := pages(cfg).HistoryBytes; n != 32<<10 {
		t.Errorf("%d bytes with a write queue of 64 KiB", n)
	}
}

// What a server is told about its chat holds for the people in it, and for programs that
// publish.
func TestChatSettings(t *testing.T) {
	t.Setenv("HAWSER_PUBLISH_KEY", "a-key-for-this-test")
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--max-message=128KiB", "--limits.content=1000", "--limits.metadata=100KiB", "--limits.rooms=2",
		"--limits.errors-per-minute=3", "--chat.heartbeat-interval=7s", "--chat.history-page=2", "--chat.history-default=1", "--chat.list-page=1", "--chat.presence-list=1")
	token, id := s.guest("Ada")
	c, ok, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	limits := object(ok["limits"].(map[string]any))
	for name, want := range map[string]uint64{"message_bytes": 128 << 10, "content_code_points": 1000, "metadata_bytes": 100 << 10, "rooms": 2, "history": 2} {
		if got := limits.number(name); got != want {
			t.Errorf("auth_ok says %s is %d; want %d", name, got, want)
		}
	}
	if n := ok.number("heartbeat_interval"); n != 7 {
		t.Errorf("auth_ok says that heartbeats are due every %d s", n)
	}
	ask := func(o object) object {
		t.Helper()
		if err := c.send(o); err != nil {
			t.Fatal(err)
		}
		for {
			answer, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if kind := answer.text("type"); kind != "group" && kind != "system" {
				return answer
			}
		}
	}
	long := object{"type": "group", "receiver_id": "lobby", "content": strings.Repeat("µ", 1000), "metadata": object{"x": strings.Repeat("x", 90<<10)}, "ref": "1"}
	for range 3 {
		long["ref"] = long.text("ref") + "1"
		if a := ask(long); a.text("type") != "ack" {
			t.Fatalf("what is long is answered by %v", a)
		}
	}
	if a := ask(object{"type": "history", "receiver_id": "lobby", "limit": 100}); len(a["messages"].([]any)) != 2 {
		t.Errorf("%d messages in a history", len(a["messages"].([]any)))
	}
	if a := ask(object{"type": "history", "receiver_id": "lobby"}); len(a["messages"].([]any)) != 1 {
		t.Errorf("%d messages in a history by default", len(a["messages"].([]any)))
	}
	ask(object{"type": "join", "receiver_id": "attic"})
	if a := ask(object{"type": "join", "receiver_id": "cellar"}); a.text("reason") != "too_many_rooms" {
		t.Errorf("a third room: %v", a)
	}
	if a := ask(object{"type": "rooms"}); len(a["rooms"].([]any)) != 1 || a["has_more"] != true {
		t.Errorf("rooms: %v", a)
	}
	other, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	defer other.nc.Close()
	if status, body := s.publish("a-key-for-this-test", `{"type":"group","sender_id":"`+id+`","receiver_id":"lobby","content":"x","metadata":{"x":"`+strings.Repeat("x", 90<<10)+`"}}`); status != 200 {
		t.Errorf("publishing what is long: %d %s", status, body)
	}
	for range 3 {
		c.send(object{"type": "shout"})
	}
	for err == nil {
		_, err = c.next()
	}
	if !strings.Contains(err.Error(), "too_many_errors") {
		t.Errorf("after three errors: %v", err)
	}
}
