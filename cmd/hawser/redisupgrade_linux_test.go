package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// launchBeside starts two nodes on one Redis, of which the first may be replaced.
func launchBeside(t *testing.T) (sh shared, server *redistest.Server, r *replaced, other *service) {
	t.Helper()
	server = redistest.Start(t)
	sh = share(t, "redis://"+server.Addr)
	other = sh.node(t, unlimited...)
	t.Setenv("HAWSER_REDIS", sh.url)
	r = launchReplaced(t, append([]string{"--token-key-file=" + sh.key}, unlimited...)...)
	return sh, server, r, other
}

// assertQuiet says something in a watched room until the watcher has heard it, and fails if the watcher has
// heard of anybody who came or left before that.
func assertQuiet(t *testing.T, watcher *talker) {
	t.Helper()
	ref := fmt.Sprint("quiet", watcher.seq)
	watcher.c.send(object{"type": "group", "receiver_id": watcher.room, "content": ref})
	for {
		o, err := watcher.next()
		switch {
		case err != nil:
			t.Fatal(err)
		case o.text("type") == "system":
			t.Errorf("the watcher is told %v", o)
		case o.text("content") == ref:
			return
		}
	}
}

// awaitJoined reads until somebody is seen to come.
func (k *talker) awaitJoined(t *testing.T, name string) {
	t.Helper()
	for {
		o, err := k.c.until("system")
		if err != nil {
			t.Fatal(err)
		}
		if o.text("event") == "joined" && o.text("name") == name {
			return
		}
	}
}

// A node with Redis is replaced, time and again, while its clients and those of another node talk to each other: nothing
// is missed, doubled or in another order, nobody is seen to leave or to come, and sessions go on.
func TestRedisUpgrade(t *testing.T) {
	_, _, r, other := launchBeside(t)
	const clients, rooms = 12, 3
	stop, failed := make(chan struct{}), make(chan error, clients)
	var talkers []*talker
	for i := range clients {
		k, _, err := newTalker([]*service{r.service, other}[i%2], fmt.Sprint("Talker ", i), fmt.Sprint("room", i/2%rooms))
		if err != nil {
			t.Fatal(err)
		}
		talkers = append(talkers, k)
	}
	ada, ok, err := newTalker(r.service, "Ada", "quiet")
	if err != nil {
		t.Fatal(err)
	}
	var watchers []*talker
	for i, s := range []*service{r.service, other} {
		k, _, err := newTalker(s, fmt.Sprint("Watcher ", i), "quiet", "system", "presence")
		if err != nil {
			t.Fatal(err)
		}
		watchers = append(watchers, k)
	}
	for _, k := range watchers {
		k.awaitJoined(t, "Watcher 1")
	}
	private, _, err := newTalker(other, "Private", "private")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range talkers {
		go func() { failed <- k.talk(stop) }()
	}
	const moving = clients/2 + 2
	for i := range 4 {
		for _, k := range talkers { // all are in the middle of talking
			for before := k.acks.Load(); k.acks.Load() < before+2; time.Sleep(time.Millisecond) {
				select {
				case err := <-failed:
					t.Fatal(err)
				default:
				}
			}
		}
		private.c.send(object{"type": "message", "receiver_id": ok.text("user_id"), "content": fmt.Sprint(i, " before")})
		line := r.signal(moving)
		if !strings.Contains(line, " pause=") {
			t.Errorf("the log does not say how long the pause was: %q", line)
		}
		t.Log(line)
		private.c.send(object{"type": "message", "receiver_id": ok.text("user_id"), "content": fmt.Sprint(i, " after")})
		for _, want := range []string{"before", "after"} {
			if o, err := ada.c.until("message"); err != nil || o.text("content") != fmt.Sprint(i, " ", want) {
				t.Errorf("round %d: Ada was told %v, %v; want %s", i, o, err, want)
			}
		}
	}
	close(stop)
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	for _, k := range watchers {
		assertQuiet(t, k)
	}
	ada.c.send(object{"type": "sessions"})
	if o, err := ada.c.until("sessions"); err != nil || o["sessions"].([]any)[0].(map[string]any)["connections"] != 1.0 {
		t.Errorf("%v, %v", o, err)
	}
	watchers[1].c.send(object{"type": "presence", "receiver_id": "quiet"})
	if o, err := watchers[1].c.until("presence"); err != nil || len(o["users"].([]any)) != 3 {
		t.Errorf("%v, %v", o, err)
	}
	ada.c.nc.Close()
	for _, k := range watchers {
		if o, err := k.c.until("system"); err != nil || o.text("event") != "left" || o.text("name") != "Ada" {
			t.Errorf("%v, %v", o, err)
		}
	}
	again, err := dialChat(other.ws("/ws"))
	if err != nil {
		t.Fatal(err)
	}
	again.send(object{"type": "auth", "session_id": ok.text("session_id"), "resume_key": ok.text("resume_key")})
	if o, err := again.until("auth_ok"); err != nil || o["resumed"] != true {
		t.Errorf("%v, %v", o, err)
	}
	if fresh, _, err := newTalker(r.service, "Fresh", "room0"); err != nil || fresh.say() != nil {
		t.Errorf("a new client: %v", err)
	}
	syscall.Kill(r.pid, syscall.SIGTERM)
	for range r.lines {
	}
}

// A new version that does not start, refuses or dies is reported, and the old node goes on with everybody in place.
func TestRedisUpgradeFails(t *testing.T) {
	sh, server, r, other := launchBeside(t)
	ada, _, err := newTalker(r.service, "Ada", "quiet", "system", "presence")
	if err != nil {
		t.Fatal(err)
	}
	bob, _, err := newTalker(other, "Bob", "quiet", "system", "presence")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*talker{ada, bob} {
		k.awaitJoined(t, "Bob")
	}
	elsewhere := redistest.Start(t)
	serve := "#!/bin/sh\nexec " + program + " serve --token-key-file=" + sh.key
	for _, c := range []struct{ script, says string }{
		{"#!/bin/sh\nexit 3\n", "exit status 3"},
		{"#!/bin/sh\nexec 3>&-\n", "the new process ended"},
		{serve + " --listen=nonsense\n", "exit status 2"},
		{"#!/bin/sh\nunset HAWSER_REDIS\nexec " + program + " serve --data " + t.TempDir() + "\n", "is not the file that the other process has open"},
		{serve + " --redis-prefix=another:\n", "does not know the other process's node"},
		{"#!/bin/sh\nHAWSER_REDIS=redis://" + elsewhere.Addr + serve[len("#!/bin/sh\nexec"):] + "\n", "does not know the other process's node"},
		{serve + " & sleep 0.01; kill -9 $!\n", "the new process ended"},
	} {
		r.installText([]byte(c.script))
		syscall.Kill(r.pid, syscall.SIGUSR2)
		if line := r.line("upgrade failed; this process goes on"); !strings.Contains(line, c.says) {
			t.Errorf("%q: the log says %q; want %q", c.script, line, c.says)
		}
		for _, k := range []*talker{ada, bob} {
			if err := k.say(); err != nil {
				t.Errorf("%q: %v", c.script, err)
			}
		}
		assertQuiet(t, ada)
		assertQuiet(t, bob)
	}

	// Redis is away, and comes back.
	r.install(program)
	server.Pause()
	syscall.Kill(r.pid, syscall.SIGUSR2)
	r.line("upgrade failed; this process goes on")
	server.Resume()
	if err := ada.say(); err != nil {
		t.Error(err)
	}
	r.signal(1)
	if err := ada.say(); err != nil {
		t.Error(err)
	}
}
