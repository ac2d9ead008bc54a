package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestRoutes(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "<!doctype html>"},
		{"/healthz", 200, "ok"},
		{"/readyz", 200, "ready"},
		{"/ws", 400, "Upgrade"},
		{"/connect", 400, "Upgrade"},
		{"/chat", 400, "Upgrade"},
		{"/ws/", 400, "Upgrade"},
		{"/ws/ws", 404, ""},
		{"/nothing", 404, ""},
		{"/nothing/", 404, ""},
	} {
		if status, body := get(t, s.url+c.path); status != c.status || !strings.Contains(strings.ToLower(body), strings.ToLower(c.body)) {
			t.Errorf("GET %s: %d %.80q; want %d and %q", c.path, status, body, c.status, c.body)
		}
	}
	waitForLog(t, s, "upgrade failed")
	waitForLog(t, s, "missing Upgrade header")
	token, id := s.guest("Ada")
	for _, path := range []string{"/ws", "/connect", "/chat", "/ws/", "/connect/", "/chat/", "/ws/?v=1"} {
		c, ok, err := enter(s.ws(path), token)
		if err != nil || ok.text("user_id") != id {
			t.Errorf("%s: %v, %v", path, ok, err)
			continue
		}
		c.nc.Close()
	}
	if strings.Contains(s.log.String(), token) {
		t.Error("the token stands in the log")
	}
}

// A01, H11: by default the page's own address may connect, under its number
// and as localhost; another origin is told which key to set.
func TestOrigins(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	listed := launch(t, t.TempDir(), "127.0.0.1:0", "--public-origins", "https://chat.example")
	anyone := launch(t, t.TempDir(), "127.0.0.1:0", "--public-origins", "*")
	port := s.url[strings.LastIndex(s.url, ":"):]
	for _, c := range []struct {
		s      *service
		origin string
		ok     bool
	}{
		{s, "http://127.0.0.1" + port, true}, {s, "http://localhost" + port, true}, {s, "", true},
		{s, "https://127.0.0.1" + port, false}, {s, "http://127.0.0.1:1", false}, {s, "http://evil.example", false}, {s, "null", false},
		{listed, "https://chat.example", true}, {listed, "HTTPS://Chat.Example", true}, {listed, "", true},
		{listed, "http://chat.example", false}, {listed, "https://chat.example:444", false}, {listed, "https://chat.example.evil", false},
		{listed, "https://evilchat.example", false}, {listed, "https://chat.example.", false}, {listed, "null", false}, {listed, listed.url, false},
		{anyone, "http://evil.example", true},
	} {
		h := http.Header{}
		if c.origin != "" {
			h.Set("Origin", c.origin)
		}
		nc, _, _, err := handshake.Dial(t.Context(), c.s.ws("/ws"), &handshake.DialOptions{Header: h})
		if err == nil {
			nc.Close()
		}
		var refused *handshake.Error
		if c.ok != (err == nil) || err != nil && (!errors.As(err, &refused) || refused.Status != 403 || !bytes.Contains(refused.Body, []byte("public_origins"))) {
			t.Errorf("Origin %q: %v; want allowed: %v", c.origin, err, c.ok)
		}
	}
	if !strings.Contains(anyone.log.String(), "public_origins contains *") {
		t.Errorf("no warning about *:\n%s", anyone.log)
	}
}

// A client that knows only the flat fields and four types joins by sending,
// and hears of nothing that it cannot know.
func TestFlatClient(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	token, id := s.guest("Flat")
	c, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	otherToken, otherID := s.guest("Full")
	other, _, err := enter(s.ws("/ws"), otherToken, "ack", "presence", "system")
	if err != nil {
		t.Fatal(err)
	}
	flat := object{"timestamp": 1.5, "sender_id": id, "metadata": object{"k": "v"}}
	say := func(kind, to, content string) {
		o := object{"type": kind, "receiver_id": to, "content": content}
		for k, v := range flat {
			o[k] = v
		}
		c.send(o)
	}
	say("group", "plaza", "hello")
	expect := func(c *chatClient, want object) {
		t.Helper()
		got, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		picked := object{}
		for k := range want {
			picked[k] = got[k]
		}
		if d := cmp.Diff(want, picked); d != "" {
			t.Fatalf("(-want +got):\n%s\nin %v", d, got)
		}
	}
	expect(c, object{"type": "group", "sender_id": id, "receiver_id": "plaza", "content": "hello", "timestamp": 1.5, "metadata": map[string]any{"k": "v"}})
	other.send(object{"type": "join", "receiver_id": "plaza", "ref": "j"})
	if ack, err := other.until("ack"); err != nil || ack.number("seq") != 1 {
		t.Fatalf("%v, %v", ack, err)
	}
	other.send(object{"type": "group", "to": "plaza", "content": "hi", "ref": "g"})
	expect(c, object{"type": "group", "sender_id": otherID, "content": "hi"}) // no system, no ack between
	say("message", otherID, "psst")
	expect(c, object{"type": "message", "sender_id": id, "receiver_id": otherID, "content": "psst"})
	if m, err := other.until("message"); err != nil || m.text("content") != "psst" {
		t.Fatalf("%v, %v", m, err)
	}
	c.send(object{"type": "heartbeat", "timestamp": 2})
	expect(c, object{"type": "heartbeat"})
	other.nc.Close()
	say("group", "plaza", "alone")
	expect(c, object{"type": "group", "content": "alone"})
}

// A04: nothing before auth, and no side effect.
func TestA04NothingBeforeAuth(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	c, err := dialChat(s.ws("/ws"))
	if err != nil {
		t.Fatal(err)
	}
	c.send(object{"type": "join", "receiver_id": "made"})
	var closed *closedError
	for err == nil {
		_, err = c.next()
	}
	if !errors.As(err, &closed) || closed.code != wsproto.ClosePolicyViolation {
		t.Errorf("%v; want 1008", err)
	}
	token, _ := s.guest("Ada")
	ada, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	ada.send(object{"type": "rooms"})
	if o, err := ada.until("rooms"); err != nil || len(o["rooms"].([]any)) != 0 {
		t.Errorf("%v, %v; want no room", o, err)
	}
}

// Stopping tells clients, closes with 1001, and what was said is there again
// after the next start.
func TestStopAndStart(t *testing.T) {
	data := t.TempDir()
	s := launch(t, data, "127.0.0.1:0")
	token, id := s.guest("Ada")
	c, before, err := enter(s.ws("/ws"), token, "system")
	if err != nil {
		t.Fatal(err)
	}
	c.send(object{"type": "group", "receiver_id": "r", "content": "kept", "ref": "1"})
	if _, err := c.until("group"); err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() { status <- s.stop() }()
	if o, err := c.until("system"); err != nil || o.text("event") != "shutting_down" {
		t.Errorf("%v, %v; want shutting_down", o, err)
	}
	var closed *closedError
	if _, err := c.next(); !errors.As(err, &closed) || closed.code != wsproto.CloseGoingAway {
		t.Errorf("%v; want 1001", err)
	}
	c.nc.Close()
	if n := <-status; n != 0 {
		t.Errorf("exit status %d; want 0\n%s", n, s.log)
	}
	for name, mode := range map[string]os.FileMode{"token.key": 0o600, "chat.db": 0o600} {
		if info, err := os.Stat(filepath.Join(data, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %o", name, info, err, mode)
		}
	}

	s = launch(t, data, "127.0.0.1:0")
	c, after, err := enter(s.ws("/ws"), token)
	if err != nil || after.text("user_id") != id || after.text("epoch") != before.text("epoch") {
		t.Fatalf("%v, %v; want the same user and epoch as in %v", after, err, before)
	}
	c.send(object{"type": "history", "receiver_id": "r"})
	h, err := c.until("history")
	if err != nil || len(h["messages"].([]any)) != 1 {
		t.Errorf("%v, %v; want one message", h, err)
	}
}

// Mistakes in how the program is called are named, with exit status 2 for the
// configuration and 1 for what the system refuses.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "hawser.toml")
	os.WriteFile(file, []byte("listen = \"127.0.0.1:0\"\n\n[limits]\nmesages_per_second = 5\n"), 0o600)
	held := launch(t, filepath.Join(dir, "held"), "127.0.0.1:0")
	for _, c := range []struct {
		name   string
		args   []string
		env    string
		status int
		says   []string
	}{
		{"no command", nil, "", 2, []string{"usage: hawser serve"}},
		{"unknown command", []string{"server"}, "", 2, []string{`"server"; did you mean serve?`}},
		{"unknown key", []string{"serve", "--config", file}, "", 2, []string{"limits.mesages_per_second", "hawser.toml:4"}},
		{"unknown flag", []string{"serve", "--lisen", "x"}, "", 2, []string{"lisen"}},
		{"bad value", []string{"serve", "--limits.burst=-1"}, "", 2, []string{"limits.burst", "-1"}},
		{"bad origin", []string{"serve"}, "HAWSER_PUBLIC_ORIGINS=chat.example", 2, []string{"HAWSER_PUBLIC_ORIGINS", "chat.example"}},
		{"address in use", []string{"serve", "--data", filepath.Join(dir, "a"), "--listen", strings.TrimPrefix(held.url, "http://")}, "", 1, []string{"address already in use"}},
		{"no key", []string{"serve", "--tls-cert", file}, "", 1, []string{file, "is not named"}},
		{"no certificate in the file", []string{"serve", "--tls-cert", file, "--tls-key", file}, "", 1, []string{file, "no certificate"}},
		{"absent key", []string{"serve", "--tls-cert", file, "--tls-key", "/absent.pem"}, "", 1, []string{"/absent.pem", "no such file"}},
		{"nothing inherited", []string{"serve", "--listen=systemd"}, "", 1, []string{"LISTEN_FDS"}},
		{"S15 data in use", []string{"serve", "--data", filepath.Join(dir, "held"), "--listen", "127.0.0.1:0"}, "", 1, []string{filepath.Join(dir, "held")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(program, c.args...)
			cmd.Dir = dir
			if c.env != "" {
				cmd.Env = append(os.Environ(), c.env)
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("exit status %d; want %d", got, c.status)
			}
			for _, s := range c.says {
				if !strings.Contains(stderr.String(), s) {
					t.Errorf("it does not say %q:\n%s", s, stderr.String())
				}
			}
		})
	}
}

func TestPrograms(t *testing.T) {
	run := func(args ...string) string {
		out, err := exec.Command(program, args...).Output()
		if err != nil {
			t.Errorf("hawser %v: %v", args, err)
		}
		return string(out)
	}
	if s := run("version"); !strings.HasPrefix(s, "hawser ") {
		t.Errorf("version: %q", s)
	}
	if s := run("serve", "--help"); !strings.Contains(s, "--limits.connections-per-address") {
		t.Errorf("help: %q", s)
	}
	// The example sets nothing and is accepted as it is.
	file := filepath.Join(t.TempDir(), "example.toml")
	os.WriteFile(file, []byte(run("config")), 0o600)
	launch(t, t.TempDir(), "127.0.0.1:0", "--config", file)
}

// The server pings silent clients with the time as payload, at the configured
// interval, and gives them up after the configured misses.
func TestPingSettings(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--ping-interval=100ms", "--ping-misses=2", "--auth-timeout=1m")
	nc, got, _, err := handshake.Dial(t.Context(), s.ws("/ws"), nil) // a ping may come with the answer
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetReadDeadline(time.Now().Add(patience))
	more, _ := io.ReadAll(nc) // nothing is answered
	got = append(got, more...)
	if pings := bytes.Count(got, []byte("\x89\x0d1")); pings != 2 { // 13 digits of milliseconds
		t.Errorf("%d pings before the end; want 2", pings)
	}
}
