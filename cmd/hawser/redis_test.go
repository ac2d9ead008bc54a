//go:build unix

package main

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
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
		return status == 503 && body == "the store cannot be reached\n"
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

// A node with another key would refuse the users of the others.
func TestRedisKeyOfAllNodes(t *testing.T) {
	server := redistest.Start(t)
	sh := share(t, "redis://"+server.Addr)
	sh.node(t)
	sh.node(t)
	other := share(t, sh.url)
	out := other.refused(t)
	if !strings.Contains(out, "token_key_file: "+other.key+" has another key") {
		t.Error(out)
	}
	other.node(t, "--redis-prefix=other:") // another chat
	if out := (shared{sh.url, filepath.Join(t.TempDir(), "none")}).refused(t); !strings.Contains(out, "no such file") || !strings.Contains(out, `"hawser new-key FILE" makes a key`) {
		t.Error(out)
	}
}

// The rules that OPERATING.md gives for a user of Redis are enough for everything that a node does.
func TestRedisUser(t *testing.T) {
	page, err := os.ReadFile("cluster/OPERATING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "user hawser on >PASSWORD ")
	rules, _, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatal("OPERATING.md has no rules")
	}
	server := redistest.Start(t, redistest.Password("administrator"), redistest.User("hawser", "hunter2", rules))
	sh := share(t, "redis://hawser:hunter2@"+server.Addr)
	one, two := sh.node(t), sh.node(t)
	talk(t, one, two)
	server.Do("ACL", "LOG", "RESET")
	two.stop()
	if log := server.Do("ACL", "LOG").([]any); len(log) > 0 {
		t.Errorf("Redis refused something: %v", log)
	}
	if c := redistest.StartCluster(t, redistest.User("hawser", "hunter2", rules)); c != nil {
		sh := share(t, "redis://hawser:hunter2@"+c.Servers[0].Addr)
		talk(t, sh.node(t), sh.node(t))
	}
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

// X12: a wrong password, or one whose user may not do what is needed, ends the start with an
// error that says so, and that does not contain it.
func TestX12WrongPassword(t *testing.T) {
	server := redistest.Start(t, redistest.Password("right"), redistest.User("reader", "hunter2", "~* &* -@all +@read +info +client +hello +cluster"))
	for user, want := range map[string]string{
		":hunter2":        "refuses the user name and password",
		"reader:hunter2x": "refuses the user name and password",
		"":                "asks for a password, and none is set",
		"reader:hunter2":  "access list (ACL) does not allow",
	} {
		out := share(t, "redis://"+user+"@"+server.Addr).refused(t)
		if !strings.Contains(out, want) || strings.Contains(out, "hunter2") {
			t.Errorf("%q: %s\nwant %s, and not the password", user, out, want)
		}
	}
}

func TestRedisTLS(t *testing.T) {
	ours, foreign := certtest.New(t, "ours"), certtest.New(t, "foreign")
	dir := t.TempDir()
	cert, key := certtest.WritePair(t, dir, ours.Server())
	ca := certtest.Write(t, dir, "ca.pem", ours.PEM())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	redistest.Start(t, redistest.Config("tls-port "+port, "tls-cert-file "+cert, "tls-key-file "+key, "tls-ca-cert-file "+ca, "tls-auth-clients yes"))

	sh := share(t, "rediss://"+address)
	cert, key = certtest.WritePair(t, t.TempDir(), ours.Client(&x509.Certificate{Subject: pkix.Name{CommonName: "hawser"}}))
	with := []string{"--redis-ca=" + ca, "--redis-cert=" + cert, "--redis-key=" + key}
	talk(t, sh.node(t, with...), sh.node(t, with...))
	if out := sh.refused(t, "--redis-cert="+cert, "--redis-key="+key); !strings.Contains(out, "certificate") {
		t.Errorf("an authority that is not known: %s", out)
	}
	strange := certtest.Write(t, dir, "foreign.pem", foreign.PEM())
	if out := sh.refused(t, "--redis-ca="+strange, "--redis-cert="+cert, "--redis-key="+key); !strings.Contains(out, "certificate") {
		t.Errorf("a foreign authority: %s", out)
	}
	if out := sh.refused(t, "--redis-ca="+key); !strings.Contains(out, "redis_ca: "+key+" contains no certificate in PEM") {
		t.Error(out)
	}
}

func TestRedisSentinelURL(t *testing.T) {
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

// X09: three people on three nodes hear and see each other. The node of one of them dies without
// saying goodbye: they are gone for the others after the time to live, come back on another node
// without a token, and get what they missed, once.
func TestX09NodeKilled(t *testing.T) {
	sh := share(t, "redis://"+redistest.Start(t).Addr)
	const ttl = "--redis-presence-ttl=2s"
	one, two, three := sh.node(t, ttl), sh.node(t, ttl), sh.node(t, ttl)
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
	t.Logf("Bob was gone %v after his node", time.Since(killed).Round(time.Millisecond))
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
