//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// present returns the names of who is in a room.
func present(t *testing.T, c *chatClient, room string) []string {
	t.Helper()
	c.send(object{"type": "presence", "receiver_id": room})
	o, err := c.until("presence")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	users, _ := o["users"].([]any)
	for _, u := range users {
		names = append(names, object(u.(map[string]any)).text("name"))
	}
	return names
}

// visitor is somebody in the lobby.
type visitor struct {
	*chatClient
	session, key, position string
}

// visit connects somebody to a node, by a token or by what else auth takes, and joins the lobby.
func visit(t *testing.T, s *service, auth object) visitor {
	t.Helper()
	c, err := dialChat(s.ws("/ws"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	auth["type"], auth["features"] = "auth", []string{"presence", "ack"}
	c.send(auth)
	ok, err := c.until("auth_ok")
	if err != nil {
		t.Fatal(err)
	}
	if _, resumed := auth["session_id"]; resumed {
		return visitor{c, ok.text("session_id"), ok.text("resume_key"), ""}
	}
	c.send(object{"type": "join", "receiver_id": "lobby", "ref": "j"})
	ack, err := c.until("ack")
	if err != nil {
		t.Fatal(err)
	}
	return visitor{c, ok.text("session_id"), ok.text("resume_key"), ack.text("position")}
}

// history returns what is in the history of the lobby, and the epoch of the last message.
func history(t *testing.T, c *chatClient) (contents []string, epoch string) {
	t.Helper()
	c.send(object{"type": "history", "receiver_id": "lobby"})
	h, err := c.until("history")
	if err != nil {
		t.Fatal(err)
	}
	messages, _ := h["messages"].([]any)
	for _, m := range messages {
		o := object(m.(map[string]any))
		contents, epoch = append(contents, o.text("content")), o.text("epoch")
	}
	return contents, epoch
}

// X09: three people on three nodes hear and see each other. The node of one of them dies without
// saying goodbye: they are gone for the others within the time to live, come back on another node
// without a token, and get what they missed, once.
func TestX09NodeKilled(t *testing.T) {
	t.Parallel()
	sh := share(t, "redis://"+redistest.Start(t).Addr)
	const ttl = 4 * time.Second // half of it is left on an idle machine
	setting := "--redis-presence-ttl=" + ttl.String()
	one, two, three := sh.node(t, setting), sh.node(t, setting), sh.node(t, setting)
	tokens, ids := [3]string{}, [3]string{}
	for i, name := range []string{"Ada", "Bob", "Cyd"} {
		tokens[i], ids[i] = one.guest(name) // all nodes know them
	}
	ada, bob, cyd := visit(t, one, object{"token": tokens[0]}), visit(t, two, object{"token": tokens[1]}), visit(t, three, object{"token": tokens[2]})
	for _, c := range []visitor{ada, bob, cyd} {
		wait(t, func() bool { return len(present(t, c.chatClient, "lobby")) == 3 })
	}
	bob.send(object{"type": "message", "receiver_id": ids[2], "content": "in private", "ref": "p"})
	if m, err := cyd.until("message"); err != nil || m.text("content") != "in private" {
		t.Fatalf("%v, %v", m, err)
	}

	killed := time.Now()
	two.kill()
	for {
		o, err := ada.until("system")
		if err != nil {
			t.Fatalf("nobody says that Bob is gone: %v", err)
		}
		if o.text("event") == "left" && o.text("user_id") == ids[1] {
			break
		}
	}
	if gone := time.Since(killed); gone > ttl {
		t.Errorf("Bob was gone %v after his node; the time to live is %v", gone, ttl)
	} else {
		t.Logf("Bob was gone %v after his node", gone.Round(time.Millisecond))
	}
	for _, c := range []visitor{ada, cyd} {
		wait(t, func() bool { return len(present(t, c.chatClient, "lobby")) == 2 })
	}
	for i := range 3 {
		ada.send(object{"type": "group", "receiver_id": "lobby", "content": fmt.Sprint(i), "ref": fmt.Sprint(i)})
		if _, err := ada.until("ack"); err != nil {
			t.Fatal(err)
		}
	}

	back := visit(t, three, object{"session_id": bob.session, "resume_key": bob.key, "resume": object{"positions": object{"lobby": bob.position}}})
	var heard []string
	for {
		o, err := back.until("resume")
		if err != nil {
			t.Fatal(err)
		}
		if o.text("status") == "done" {
			break
		}
		messages, _ := o["messages"].([]any)
		for _, m := range messages {
			heard = append(heard, object(m.(map[string]any)).text("content"))
		}
	}
	if strings.Join(heard, " ") != "0 1 2" {
		t.Errorf("Bob was sent %q of what he missed", heard)
	}
	ada.send(object{"type": "group", "receiver_id": "lobby", "content": "welcome back", "ref": "w"})
	if m, err := back.until("group"); err != nil || m.text("content") != "welcome back" {
		t.Errorf("after resuming: %v, %v", m, err)
	}
	wait(t, func() bool { return len(present(t, ada.chatClient, "lobby")) == 3 })
}

// A backup is restored as OPERATING.md says, while the nodes run: what was said after it is
// gone, and the clients are told to load the room again.
func TestRedisBackup(t *testing.T) {
	server := redistest.Start(t, redistest.AOF("everysec"))
	sh := share(t, "redis://"+server.Addr)
	one := sh.node(t)
	token, _ := one.guest("Ada")
	ada := visit(t, one, object{"token": token})
	say := func(what string) {
		t.Helper()
		ada.send(object{"type": "group", "receiver_id": "lobby", "content": what, "ref": what})
		if _, err := ada.until("ack"); err != nil {
			t.Fatal(err)
		}
	}
	say("before")
	_, epoch := history(t, ada.chatClient)
	server.Do("SAVE")
	say("after")

	server.Shutdown()
	if err := os.RemoveAll(filepath.Join(server.Dir, "appendonlydir")); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(server.Dir, "redis.conf")
	b, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte(strings.ReplaceAll(string(b), "appendonly yes", "appendonly no")), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	server.Do("CONFIG", "SET", "appendonly", "yes")
	wait(t, func() bool {
		status, _ := get(t, one.url+"/readyz")
		return status == 200
	})
	// By itself the node notices at the next probe; now it does at once.
	for acked, reloaded := false, false; !acked || !reloaded; {
		if !acked {
			ada.send(object{"type": "group", "receiver_id": "lobby", "content": "again", "ref": "again"})
		}
		o, err := ada.next()
		if err != nil {
			t.Fatalf("acknowledged: %v, told to load again: %v: %v", acked, reloaded, err)
		}
		acked = acked || o.text("type") == "ack"
		reloaded = reloaded || o.text("event") == "reload"
	}
	contents, now := history(t, ada.chatClient)
	if strings.Join(contents, " ") != "before again" || now == epoch {
		t.Errorf("the history is %q, in the epoch %s after %s", contents, now, epoch)
	}
}

// A Redis whose memory is full refuses what is new, and nothing else; with more memory it goes on.
func TestRedisFull(t *testing.T) {
	server := redistest.Start(t, redistest.Config("maxmemory-policy noeviction"))
	one := share(t, "redis://"+server.Addr).node(t)
	token, _ := one.guest("Ada")
	ada := visit(t, one, object{"token": token})
	say := func(ref string) object {
		t.Helper()
		ada.send(object{"type": "group", "receiver_id": "lobby", "content": ref, "ref": ref})
		for {
			o, err := ada.next()
			if err != nil {
				t.Fatal(err)
			}
			if kind := o.text("type"); kind == "ack" || kind == "error" {
				return o
			}
		}
	}
	if o := say("1"); o.text("type") != "ack" {
		t.Fatal(o)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1mb")
	if o := say("2"); o.number("code") != 503 || o.text("reason") != "store_unavailable" {
		t.Errorf("full: %v", o)
	}
	if contents, _ := history(t, ada.chatClient); strings.Join(contents, " ") != "1" {
		t.Errorf("the history is %q", contents)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if o := say("2"); o.text("type") != "ack" {
		t.Errorf("with more memory: %v", o)
	}
}
