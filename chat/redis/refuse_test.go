package redis

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

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

// On disk: a server that does not promise it is refused, and so are messages when its settings
// change.
func TestAckDisk(t *testing.T) {
	for _, c := range []struct {
		option redistest.Option
		want   string
	}{
		{redistest.Config(), "appendonly no"},
		{redistest.AOF("everysec"), "appendfsync everysec"},
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
