package redis

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// openDisk opens an engine that waits for the disk of servers that do not sync always. Before
// Redis 7.2 these cannot say when something is on it: then it must be refused, and nil is returned.
func openDisk(t *testing.T, server *redistest.Server, cfg Config) *Engine {
	t.Helper()
	cfg.Ack.Disk, cfg.Log = true, slog.New(slog.DiscardHandler)
	if info := server.Do("COMMAND", "INFO", "waitaof").([]any); len(info) == 1 && info[0] != nil {
		return open(t, cfg)
	}
	e, err := Open(ctx, cfg)
	if err == nil {
		e.Close(ctx)
	}
	if err == nil || !strings.Contains(err.Error(), "before Redis 7.2 that takes yes and always") {
		t.Errorf("a server that cannot say when something is on its disk: %v", err)
	}
	return nil
}

// syncs is how often a server was asked to wait for its disk.
func syncs(server *redistest.Server) string { return server.Info("commandstats")["cmdstat_waitaof"] }

// From Redis 7.2 on, a message is acknowledged when the server says that it is on its disk,
// whatever appendfsync is. Without a sync there is no acknowledgement, not of a duplicate either.
func TestWaitaof(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AOF("everysec"))
	cfg := Config{Addresses: []string{server.Addr}, Timeout: 2 * time.Second}
	e := openDisk(t, server, cfg)
	if e == nil {
		return
	}
	other := openDisk(t, server, cfg)
	say(t, e, lobby, "1", "2")
	if syncs(server) == "" {
		t.Error("it did not wait for the disk")
	}
	server.Do("CONFIG", "SET", "appendfsync", "no")
	var r chat.Result
	for _, e := range []*Engine{e, other} { // at the other node, it is a duplicate
		r = try(e, lobby, "3", "r")
		if !errors.Is(r.Err, chat.ErrOutcomeUnknown) || !strings.Contains(r.Err.Error(), "not on the server's disk") {
			t.Fatalf("without a sync: %+v", r)
		}
	}
	server.Do("CONFIG", "SET", "appendfsync", "everysec")
	await(t, "the disk", func() bool { r = try(e, lobby, "3", "r"); return r.Err == nil })
	if !r.Duplicate || r.Change.Number != 3 {
		t.Errorf("%+v", r)
	}
	server.Kill()
	server.Restart()
	await(t, "the server", func() bool { _, err := e.store.Tail(ctx, lobby); return err == nil })
	if got := stored(t, e, lobby); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("stored are %q", got)
	}
}

// With replicas, their disks count, and a failover to one of them loses nothing.
func TestWaitaofOfReplicas(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t, redistest.Replicas(1), redistest.AOF("everysec"))
	e := openDisk(t, g.Master(), Config{Addresses: g.Addrs(), Master: g.Name, Ack: Ack{Replicas: 1}, PresenceTTL: time.Second, Timeout: 3 * time.Second})
	if e == nil {
		return
	}
	insist(t, e, lobby, "1")
	replica := g.Servers[1]
	replica.Pause()
	if r := try(e, lobby, "2", "2"); !errors.Is(r.Err, chat.ErrOutcomeUnknown) || !strings.Contains(r.Err.Error(), "0 of 1 replicas") {
		t.Errorf("without the replica: %+v", r)
	}
	replica.Resume()
	insist(t, e, lobby, "2")
	insist(t, e, lobby, "3")
	g.Failover()
	insist(t, e, lobby, "4")
	if got := stored(t, e, lobby); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("stored are %q", got)
	}
}

// In a cluster, the primary of the conversation is asked.
func TestWaitaofOfCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, redistest.AOF("everysec"))
	e := openDisk(t, c.Masters()[0], Config{Addresses: c.Addrs(), Ack: Ack{Replicas: 1}})
	if e == nil {
		return
	}
	for i := range 20 {
		insist(t, e, chat.RoomConversation(fmt.Sprint("room", i)), "1")
	}
	for _, master := range c.Masters() {
		if syncs(master) == "" {
			t.Errorf("%s did not wait for its disk", master.Addr)
		}
	}
}
