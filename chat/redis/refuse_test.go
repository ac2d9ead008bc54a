package redis

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// X12: what is refused is said, and no password with it.
func TestX12Refused(t *testing.T) {
	const secret = "Tr0ub4dor"
	server := redistest.Start(t, redistest.Password(secret),
		redistest.User("weak", secret, "~* &* +@all -xadd"),
		redistest.User("silent", secret, "~* &* +@all -spublish"),
		redistest.User("elsewhere", secret, "~other:* &* +@all"),
		redistest.User("good", secret, "~hawser:* &hawser:* +@all -@dangerous +info"))
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"no password":       {Config{}, "asks for a password"},
		"wrong password":    {Config{Password: secret + "3"}, "refuses the user name and password"},
		"unknown user":      {Config{Username: "nobody", Password: secret}, "refuses the user name and password"},
		"a missing command": {Config{Username: "weak", Password: secret}, "access list"},
		"no publishing":     {Config{Username: "silent", Password: secret}, "access list"},
		"other keys":        {Config{Username: "elsewhere", Password: secret}, "access list"},
		"no address":        {Config{Addresses: []string{"127.0.0.1:1"}, Password: secret}, "connection refused"},
	} {
		var logged bytes.Buffer
		if c.cfg.Addresses == nil {
			c.cfg.Addresses = []string{server.Addr}
		}
		c.cfg.Log = slog.New(slog.NewTextHandler(&logged, nil))
		e, err := Open(ctx, c.cfg)
		if err == nil {
			e.Close(ctx)
			t.Errorf("%s: it opens", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error()+logged.String(), secret) {
			t.Errorf("%s: %v\n%s", name, err, logged.String())
		}
	}
	e := open(t, Config{Addresses: []string{server.Addr}, Username: "good", Password: secret})
	say(t, e, lobby, "1")
}

// older is a connection to a server that says that it is Redis 6.
type older struct{ net.Conn }

func (c older) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	copy(p, bytes.ReplaceAll(p[:n], []byte("redis_version:7"), []byte("redis_version:6")))
	return n, err
}

// A server that is too old is refused, and what it is.
func TestOldServer(t *testing.T) {
	server := redistest.Start(t)
	e, err := Open(ctx, Config{Addresses: []string{server.Addr}, Dial: func(ctx context.Context, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		return older{nc}, err
	}})
	if err == nil {
		e.Close(ctx)
	}
	if err == nil || !strings.Contains(err.Error(), "the server is Redis 6.") || !strings.Contains(err.Error(), "version 7.0 or later is needed") {
		t.Error(err)
	}
}

// A server without a command that is needed is refused, and the command is named.
func TestMissingCommands(t *testing.T) {
	server := redistest.Start(t, redistest.Config(`rename-command SPUBLISH ""`, `rename-command ZRANGEBYLEX ""`, `rename-command WAIT ""`))
	for _, c := range []struct {
		ack  Ack
		want string
	}{
		{Ack{}, "needed: SPUBLISH, ZRANGEBYLEX"},
		{Ack{Replicas: 1}, "needed: WAIT, SPUBLISH, ZRANGEBYLEX"},
	} {
		e, err := Open(ctx, Config{Addresses: []string{server.Addr}, Ack: c.ack})
		if err == nil {
			e.Close(ctx)
		}
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// The commands that are looked for are those that the code and the scripts use.
func TestCommands(t *testing.T) {
	used := map[string]bool{"SSUBSCRIBE": true, "SUNSUBSCRIBE": true}
	for pattern, expression := range map[string]string{"*.go": `\.B\(\)\.([A-Z][A-Za-z]+)\(\)`, "scripts/*.lua": `call\('([A-Z]+)'`} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range regexp.MustCompile(expression).FindAllSubmatch(text, -1) {
				used[strings.ToUpper(string(found[1]))] = true
			}
		}
	}
	for _, elsewhere := range []string{"CLUSTERSLOTS", "COMMANDINFO", "CONFIGGET", "WAIT"} { // only there where they are needed
		delete(used, elsewhere)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), commands); diff != "" {
		t.Errorf("(-used +looked for):\n%s", diff)
	}
}

// A server on this machine may be reached by a Unix socket, with a user.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redis.sock")
	redistest.Start(t, redistest.Config("unixsocket "+path), redistest.Password("administrator"), redistest.User("hawser", "hunter2", "~hawser:* &hawser:* +@all"))
	e := open(t, Config{Addresses: []string{path}, Username: "hawser", Password: "hunter2"})
	_, r := attach(t, e, lobby)
	say(t, e, lobby, "1")
	await(t, "the message", func() bool { return slices.Equal(r.of(lobby), []string{"1"}) })
	if _, err := Open(ctx, Config{Addresses: []string{path}}); err == nil || !strings.Contains(err.Error(), "asks for a password") {
		t.Error(err)
	}
	if _, err := Open(ctx, Config{Addresses: []string{path + "x"}}); err == nil || !strings.Contains(err.Error(), path+"x: connect: no such file") {
		t.Error(err)
	}
}

// On disk: a server that does not promise it is refused, and so are messages when its settings
// change.
func TestAckDisk(t *testing.T) {
	for _, c := range []struct {
		option redistest.Option
		want   string
	}{
		{redistest.Config(), "appendonly no"},
		{redistest.AOF("everysec"), "appendfsync everysec"},
		{redistest.Config("appendonly yes", "appendfsync always", "no-appendfsync-on-rewrite yes"), "no-appendfsync-on-rewrite yes"},
	} {
		server := redistest.Start(t, c.option)
		e, err := Open(ctx, Config{Addresses: []string{server.Addr}, Ack: Ack{Disk: true}, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			if e.store.waitaof { // then everysec is enough
				e.Close(ctx)
				continue
			}
			t.Fatal("it opens")
		}
		if !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "set appendonly") {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	server := redistest.Start(t, redistest.AOF("always"))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Disk: true}, PresenceTTL: 400 * time.Millisecond})
	say(t, e, lobby, "1")
	server.Do("CONFIG", "SET", "appendonly", "no")
	await(t, "the change to be noticed", func() bool { return e.Healthy() != nil })
	if err := try(e, lobby, "unsafe", "").Err; err == nil || errors.Is(err, chat.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "on disk") {
		t.Errorf("a message without a disk: %v", err)
	}
	server.Do("CONFIG", "SET", "appendonly", "yes")
	insist(t, e, lobby, "2")
	if got := stored(t, e, lobby); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("stored are %q", got)
	}
	server.Kill()
	server.Restart()
	await(t, "the server", func() bool { _, err := e.store.Tail(ctx, lobby); return err == nil })
	if got := stored(t, e, lobby); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("after a crash: %q", got)
	}
}

// At replicas: what fewer have is stored, but not acknowledged, and the same ref gives the answer
// when they have it.
func TestAckReplicas(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	cfg := Config{Addresses: g.Addrs(), Master: g.Name, Ack: Ack{Replicas: 2}, PresenceTTL: time.Second, Timeout: 3 * time.Second}
	e, other := open(t, cfg), open(t, cfg)
	insist(t, e, lobby, "1")
	replica := g.Servers[slices.IndexFunc(g.Servers, func(s *redistest.Server) bool { return s != g.Master() })]
	replica.Pause()
	// The server answers when nine tenths of the limit are over.
	var r chat.Result
	for _, e := range []*Engine{e, other} { // at the other node, it is a duplicate
		r = try(e, lobby, "2", "r")
		if !errors.Is(r.Err, chat.ErrOutcomeUnknown) || !strings.Contains(r.Err.Error(), "1 of 2 replicas") {
			t.Errorf("with one replica: %v", r.Err)
		}
	}
	replica.Resume()
	await(t, "the second replica", func() bool { r = try(e, lobby, "2", "r"); return r.Err == nil })
	if !r.Duplicate || r.Change.Number != 2 {
		t.Errorf("%+v", r)
	}
}
