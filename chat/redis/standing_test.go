package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// few is since when a server is known to have too few replicas.
func few(e *Engine, address string) time.Time {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	return e.store.standingOf(address).few
}

// fewForLong has a server have too few replicas for so long that people see what it has.
func fewForLong(e *Engine, address string) {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	e.store.standingOf(address).few = time.Now().Add(-fewPatience)
}

func canRead(t *testing.T, e *Engine, c chat.Conversation) {
	t.Helper()
	if page, err := e.store.History(ctx, chat.HistoryQuery{Conversation: c, Limit: 1}); err != nil || len(page.Messages) != 1 {
		t.Errorf("%s: %+v, %v", c, page, err)
	}
}

// Where one server of a cluster has wrong settings, or no replica, or does not answer, nothing
// changes for the conversations of the others.
func TestServersOfAClusterStandAlone(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, redistest.AOF("always"), redistest.Config("cluster-require-full-coverage no"))
	e := open(t, Config{Addresses: c.Addrs(), Ack: Ack{Disk: true, Replicas: 1}, PresenceTTL: time.Hour, Timeout: 2 * time.Second})
	rooms := make(map[*redistest.Server]chat.Conversation)
	for i := 0; len(rooms) < 3; i++ {
		room := chat.RoomConversation(fmt.Sprint("room-", i))
		rooms[c.Owner(c.Slot(e.store.keys.log(room)))] = room
	}
	for _, room := range rooms {
		insist(t, e, room, "1")
	}
	bad := c.Masters()[0]
	others := func(when string) {
		t.Helper()
		for server, room := range rooms {
			if server == bad {
				continue
			}
			if r := try(e, room, when, when); r.Err != nil {
				t.Errorf("%s: %v", when, r.Err)
			}
			if !e.store.waits(visible, server.Addr) {
				t.Errorf("%s: what people see of a server that is well need not be safe", when)
			}
		}
	}

	bad.Do("CONFIG", "SET", "appendonly", "no")
	if err := e.store.checkDurability(ctx); err == nil || !strings.Contains(err.Error(), bad.Addr+": messages must be on disk") {
		t.Errorf("with a server that keeps nothing: %v", err)
	}
	if err := try(e, rooms[bad], "2", "2").Err; !errors.Is(err, errDisk) || errors.Is(err, chat.ErrOutcomeUnknown) {
		t.Errorf("at a server that keeps nothing: %v", err)
	}
	others("one keeps nothing")
	bad.Do("CONFIG", "SET", "appendonly", "yes")
	await(t, "the file", func() bool { return e.store.checkDurability(ctx) == nil })
	insist(t, e, rooms[bad], "2")

	c.Replica(bad).Kill()
	await(t, "word of the replica", func() bool { return errors.Is(e.store.checkDurability(ctx), errReplicas) && !few(e, bad.Addr).IsZero() })
	fewForLong(e, bad.Addr)
	others("one has no replica")
	canRead(t, e, rooms[bad])

	bad.Pause()
	defer bad.Resume()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := e.store.checkDurability(short); err == nil {
		t.Error("a server that does not answer is well")
	}
	others("one does not answer")
}

// A replica that is connected and does not go on is none. When it goes on, that is found out
// although nobody writes.
func TestStoppedReplica(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, PresenceTTL: time.Hour, Timeout: time.Second})
	insist(t, e, lobby, "1")
	await(t, "the replica", func() bool { return e.store.checkDurability(ctx) == nil })
	replica.Pause()
	if r := try(e, lobby, "2", "2"); r.Err == nil {
		t.Error("acknowledged without a replica")
	}
	if err := e.store.checkDurability(ctx); !errors.Is(err, errReplicas) || few(e, "").IsZero() {
		t.Errorf("with a replica that is stopped: %v", err)
	}
	fewForLong(e, "")
	canRead(t, e, lobby)
	replica.Resume()
	await(t, "the replica", func() bool { return e.store.checkDurability(ctx) == nil })
	if !e.store.waits(visible, "") {
		t.Error("the replica is back, and nobody waits for it")
	}
}
