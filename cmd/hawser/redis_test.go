//go:build unix

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

// shared is a Redis that nodes share, and the key that they have in common.
type shared struct {
	url, key string
}

func share(t *testing.T, url string) shared {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	succeed(t, "new-key", key)
	return shared{url, key}
}

// command is "hawser serve" of a node. The URL is where secrets may be.
func (sh shared) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, append([]string{"serve", "--listen=127.0.0.1:0", "--token-key-file=" + sh.key}, args...)...)
	cmd.Env = append(os.Environ(), "HAWSER_REDIS="+sh.url)
	return cmd
}

func (sh shared) node(t *testing.T, args ...string) *service {
	t.Helper()
	return launchCommand(t, sh.command(args...))
}

// refused starts a node that must not start, and returns what it says.
func (sh shared) refused(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := sh.command(args...)
	out, err := runUntil(ctx, cmd)
	if err == nil || ctx.Err() != nil {
		t.Fatalf("%v: %v, %v\n%s", args, err, ctx.Err(), out)
	}
	return out
}

func runUntil(ctx context.Context, cmd *exec.Cmd) (string, error) {
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// talk lets somebody say something on one node, and somebody else hear it on another.
func talk(t *testing.T, from, to *service) {
	t.Helper()
	token, _ := from.guest("Ada")
	other, _ := to.guest("Bob")
	ada, _, err := enter(from.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	defer ada.nc.Close()
	bob, _, err := enter(to.ws("/ws"), other)
	if err != nil {
		t.Fatal(err)
	}
	defer bob.nc.Close()
	for _, c := range []*chatClient{ada, bob} {
		c.send(object{"type": "join", "receiver_id": "lobby", "ref": "j"})
		if _, err := c.until("ack"); err != nil {
			t.Fatal(err)
		}
	}
	ada.send(object{"type": "group", "receiver_id": "lobby", "content": "across", "ref": "m"})
	if _, err := ada.until("ack"); err != nil {
		t.Fatal(err)
	}
	if m, err := bob.until("group"); err != nil || m.text("content") != "across" || m.text("sender_name") != "Ada" {
		t.Fatalf("%v, %v", m, err)
	}
}

func TestRedisNodes(t *testing.T) {
	server := redistest.Start(t, redistest.Password("h:unter2"))
	sh := share(t, fmt.Sprintf("redis://:h%%3Aunter2@%s", server.Addr))
	one, two := sh.node(t, "--redis-ack=memory"), sh.node(t, "--redis-history=1000", "--redis-history-age=0s")
	talk(t, one, two)
	for _, s := range []*service{one, two} {
		if status, body := get(t, s.url+"/readyz"); status != 200 || body != "ready\n" {
			t.Errorf("/readyz: %d %q", status, body)
		}
		if status := s.stop(); status != 0 || strings.Contains(s.log.String(), "unter2") {
			t.Errorf("exit status %d, or the password is in the log:\n%s", status, s.log)
		}
	}

	// The same from a file.
	file := filepath.Join(t.TempDir(), "redis")
	if err := os.WriteFile(file, []byte(sh.url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	one = shared{"", sh.key}.node(t, "--redis-file="+file)
	if token, _ := one.guest("Eve"); token == "" {
		t.Error("no guest")
	}
	if out := (shared{"", sh.key}).refused(t, "--redis-file="+sh.key); !strings.Contains(out, "redis_file: "+sh.key+" does not contain the URL of a Redis") {
		t.Errorf("another file: %s", out)
	}

	// Redis away: the node says so, and recovers.
	server.Kill()
	wait(t, func() bool {
		status, body := get(t, one.url+"/readyz")
		return status == 503 && body == "the store does not work\n"
	})
	if out := sh.refused(t); !strings.Contains(out, "redis://"+server.Addr) || strings.Contains(out, "unter2") {
		t.Errorf("a start without Redis: %s", out)
	}
	server.Restart()
	wait(t, func() bool {
		status, _ := get(t, one.url+"/readyz")
		return status == 200
	})
}

// The settings in compose.yaml are settings of ours, with values that are allowed.
func TestComposeSettings(t *testing.T) {
	text, err := os.ReadFile("cluster/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, m := range regexp.MustCompile(`(?m)^ +(HAWSER_[A-Z_]+): (.+)$`).FindAllStringSubmatch(string(text), -1) {
		environ = append(environ, m[1]+"="+m[2])
	}
	cfg, warnings, err := config.Load(nil, environ, os.ReadFile)
	if err != nil || warnings != nil || len(environ) < 8 {
		t.Fatalf("%q: %v, %v", environ, err, warnings)
	}
	if !cfg.Redis.On() {
		t.Error("without Redis")
	}
}

// What compose.yaml and the Dockerfile name is there, and they agree with nginx.conf and each other.
func TestComposeFiles(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("cluster", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	compose, docker, nginx := read("compose.yaml"), read("Dockerfile"), read("nginx.conf")
	all := func(text, expression string, want int) (found []string) {
		for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		if len(found) != want {
			t.Fatalf("%q is found %d times, want %d: %q", expression, len(found), want, found)
		}
		return found
	}
	context := filepath.Join("cluster", all(compose, `context: (\S+)`, 1)[0])
	paths := []string{filepath.Join(context, all(compose, `dockerfile: (\S+)`, 1)[0])}
	for _, file := range all(compose, `- (\./\S+):/`, 2) {
		paths = append(paths, filepath.Join("cluster", file))
	}
	for _, file := range append(strings.Fields(all(docker, `COPY (.+) \./`, 1)[0]), all(docker, ` (\./cmd/\S+)`, 1)...) {
		paths = append(paths, filepath.Join(context, file))
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if mounted, named := all(compose, `redis\.conf:(\S+):ro`, 1)[0], all(compose, `"redis-server", "(\S+)"`, 1)[0]; mounted != named {
		t.Errorf("Redis reads %s, and its settings are at %s", named, mounted)
	}
	if secret, named := all(compose, `(?m)^  (\S+):\n    file:`, 1)[0], all(compose, `HAWSER_TOKEN_KEY_FILE: /run/secrets/(\S+)`, 1)[0]; secret != named {
		t.Errorf("the nodes read the secret %s, and it is called %s", named, secret)
	}
	if !strings.Contains(compose, "HAWSER_REDIS: redis://"+all(compose, `(?m)^  (\S+):\n    image: redis:`, 1)[0]+":6379\n") {
		t.Error("the nodes look for Redis under another name")
	}
	key := all(compose, `(?m)^    file: (\S+)`, 1)[0]
	if made := all(compose, `new-key (\S+)`, 1)[0]; filepath.Join("cluster", key) != filepath.Join(context, made) {
		t.Errorf("the key is %s, and made as %s", key, made)
	}
	if !slices.Contains(strings.Fields(read("Dockerfile.dockerignore")), "data") {
		t.Error("the key is sent to the build")
	}
	nodes := all(compose, `(?m)^  (hawser\d):$`, 3)
	if upstream := all(nginx, `server (\w+):8080 `, 3); !slices.Equal(nodes, upstream) {
		t.Errorf("nodes are %q, and nginx knows %q", nodes, upstream)
	}
	addresses := all(compose, `ipv4_address: (\S+)`, 4)
	if trusted := all(compose, `HAWSER_TRUSTED_PROXIES: (\S+)`, 1)[0]; trusted != addresses[3] {
		t.Errorf("trusted is %s, and nginx has %s", trusted, addresses[3])
	}
	if out, served := all(compose, `ports: \["127\.0\.0\.1:\d+:(\d+)"\]`, 1)[0], all(nginx, `listen (\d+)`, 1)[0]; out != served {
		t.Errorf("nginx serves %s, and %s is published", served, out)
	}
	wanted, used := all(read("../../../go.mod"), `(?m)^go (\d+\.\d+)`, 1)[0], all(docker, `golang:(\S+)`, 1)[0]
	if wanted != used {
		t.Errorf("go.mod wants Go %s, and the image is built with %s", wanted, used)
	}
}

func TestRedisSentinelURL(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t, redistest.Replicas(1), redistest.Password("secret"))
	sh := share(t, fmt.Sprintf("redis-sentinel://:secret@%s?master=%s", strings.Join(g.Addrs(), ","), g.Name))
	one, two := sh.node(t, "--redis-ack=replicas:1"), sh.node(t)
	talk(t, one, two)
	g.Failover()
	wait(t, func() bool {
		for _, s := range []*service{one, two} {
			if status, _ := get(t, s.url+"/readyz"); status != 200 {
				return false
			}
		}
		return true
	})
	talk(t, two, one)
}

func TestRedisClusterURL(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	sh := share(t, "redis://"+strings.Join(c.Addrs()[:2], ","))
	talk(t, sh.node(t), sh.node(t))
}

// Commands on a data folder say that there is none, unless one is named.
func TestDataCommandsWithRedis(t *testing.T) {
	t.Setenv("HAWSER_REDIS", "redis://localhost")
	t.Setenv("HAWSER_TOKEN_KEY_FILE", "key")
	file := filepath.Join(t.TempDir(), "file")
	fail(t, 2, "backup: the users and messages are in Redis, which is backed up and restored with its own means", "backup", file)
	fail(t, 2, "restore: the users and messages are in Redis", "restore", file)
	fail(t, 2, "check: the users and messages are in Redis, and no folder has data to check", "check")
	fail(t, 2, `new-key: the users and messages are in Redis, and the key for their tokens is in token_key_file: "hawser new-key FILE" makes one`, "new-key")
	succeed(t, "new-key", file)
	fail(t, 2, file+" exists; --force replaces it", "new-key", file)
	succeed(t, "new-key", "--force", file)
	fail(t, 1, "no such file", "check", file+".backup")
	fail(t, 1, "there is no chat in", "new-key", "--data", t.TempDir())
}

// A user who has stored on one node as much as is allowed in a day stores nothing on another.
func TestLimitsHoldOnAllNodes(t *testing.T) {
	sh := share(t, "redis://"+redistest.Start(t).Addr)
	limits := "--limits.user-bytes-per-day=2000"
	here, there := sh.node(t, limits), sh.node(t, limits)
	token, _ := here.guest("Ada")
	say := func(s *service) error {
		t.Helper()
		c, _, err := enter(s.ws("/ws"), token)
		if err != nil {
			t.Fatal(err)
		}
		defer c.nc.Close()
		if err := c.send(object{"type": "group", "receiver_id": "lobby", "content": strings.Repeat("x", 500), "ref": rand.Text()}); err != nil {
			t.Fatal(err)
		}
		for {
			switch o, err := c.next(); {
			case err != nil:
				return err
			case o.text("type") == "error":
				return errors.New(o.text("reason"))
			case o.text("type") == "ack":
				return nil
			}
		}
	}
	if err := errors.Join(say(here), say(here)); err != nil {
		t.Fatalf("on the first node: %v", err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if err := say(there); err != nil && strings.Contains(err.Error(), "quota_exceeded") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the other node knows nothing of what was stored")
		}
	}
}
