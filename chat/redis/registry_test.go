package redis

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// family is a survivor, who watches the lobby, and another node with ten people in it. No heartbeat
// is sent but those that a test sends.
type family struct {
	t               *testing.T
	server          *redistest.Server
	survivor, other *Engine
	n               *node // the other's
	r               *ear
}

const slowTTL = 8 * time.Hour

func newFamily(t *testing.T) *family {
	server := redistest.Start(t)
	cfg := Config{Addresses: []string{server.Addr}, PresenceTTL: slowTTL, Timeout: 5 * time.Second}
	f := &family{t: t, server: server, survivor: open(t, cfg), other: open(t, cfg)}
	for i := range 10 {
		put(t, f.survivor, fmt.Sprintf("u_%03d", i))
	}
	_, f.r = attach(t, f.survivor, lobby)
	f.n, _ = attach(t, f.other)
	crowd(t, f.n, 10)
	present(t, f.survivor, 10)
	f.beat(f.survivor)
	f.beat(f.other)
	return f
}

func (f *family) beat(e *Engine) {
	f.t.Helper()
	if err := e.broker.pulse(ctx); err != nil {
		f.t.Fatal(err)
	}
}

// age makes the last heartbeats of an engine's nodes older.
func (f *family) age(e *Engine, by time.Duration) {
	for id := range e.broker.own() {
		f.server.Do("ZINCRBY", e.broker.keys.nodes(), strconv.FormatInt(-by.Milliseconds(), 10), id)
	}
}

func (f *family) left(want int) {
	f.t.Helper()
	await(f.t, fmt.Sprint(want, " who have left"), func() bool { return f.r.events("left") == want })
}

// Who was left out of an answer as their node is dead, and has come to a node that did not know that
// yet, is told of when what the dead one had is removed.
func TestComesFromADeadNode(t *testing.T) {
	f := newFamily(t)
	third := open(t, f.other.cfg)
	n, _ := attach(t, third)
	if _, err := n.Connect(ctx, "u_000"); err != nil { // so that the node is known
		t.Fatal(err)
	}
	if err := n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, "ten who have come", func() bool { return f.r.events("joined") == 10 })
	dead, nodes := f.n.roster.id, f.survivor.broker.keys.nodes()
	f.server.Do("ZADD", nodes, -1, dead) // found by another one, who removes what it had
	f.beat(f.survivor)
	present(t, f.survivor, 0)
	crowd(t, n, 10)
	if err := n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := third.broker.remove(dead); err != nil {
		t.Fatal(err)
	}
	f.server.Do("ZADD", nodes, -time.Now().UnixMilli(), dead)
	f.beat(f.survivor)
	await(t, "those who have come again", func() bool { return f.r.events("joined") == 20 })
	if n := f.r.events("left"); n != 0 {
		t.Errorf("%d have left", n)
	}
	present(t, f.survivor, 10)
}

// A node that misses some heartbeats stays. One that is silent for half of the TTL is gone with the
// next heartbeat of any other: it is not counted, the others are told, and what it had is removed.
// If it lives on, its people come back.
func TestSilence(t *testing.T) {
	f := newFamily(t)
	id := f.n.roster.id
	f.age(f.other, slowTTL/2-time.Minute)
	f.beat(f.survivor)
	present(t, f.survivor, 10)
	f.beat(f.other)
	if f.n.roster.id != id || f.r.events("left") > 0 {
		t.Fatal("a node was dead that was silent for less than half of the TTL")
	}
	f.age(f.other, slowTTL/2+time.Minute)
	f.beat(f.survivor) // the only one; nothing else happens within the TTL
	if got := f.survivor.broker.registry.known[id]; got == alive {
		t.Fatal("a node lives that was silent for half of the TTL")
	}
	f.left(10)
	present(t, f.survivor, 0)
	await(t, "the burial", func() bool {
		return f.server.Do("ZSCORE", f.survivor.broker.keys.nodes(), id) != "-1"
	})
	f.beat(f.other) // it hears that it was dead
	present(t, f.survivor, 10)
	await(t, "the return", func() bool { return f.r.events("joined") == 20 })
	if f.r.events("left") != 10 {
		t.Errorf("%d have left", f.r.events("left"))
	}
}

// The node that has found a dead one may die before it has removed what that had: another one does
// it.
func TestBurialByAnother(t *testing.T) {
	f := newFamily(t)
	third := open(t, Config{Addresses: []string{f.server.Addr}, PresenceTTL: 400 * time.Millisecond})
	f.server.Do("ZADD", third.broker.keys.nodes(), "-1", f.n.roster.id)
	f.left(10)
	noGhosts(t, f.server)
}

// Redis was away for everybody. Who is heard first afterwards does not take the others for dead.
func TestSilenceOfRedis(t *testing.T) {
	f := newFamily(t)
	id := f.n.roster.id
	f.age(f.survivor, 3*slowTTL)
	f.age(f.other, 3*slowTTL)
	f.beat(f.survivor)
	f.age(f.other, slowTTL/2-time.Minute) // it takes longer to come back
	f.beat(f.survivor)
	present(t, f.survivor, 10)
	f.beat(f.other)
	if f.n.roster.id != id || f.r.events("left") > 0 {
		t.Error("a node was dead because Redis was away")
	}
}

// The clock of Redis goes back, as after a failover. Silence counts from then on.
func TestSilenceAfterClockBack(t *testing.T) {
	f := newFamily(t)
	f.age(f.survivor, -slowTTL)
	f.age(f.other, -slowTTL)
	f.beat(f.survivor)
	f.age(f.other, slowTTL/2+time.Minute)
	f.beat(f.survivor)
	f.left(10)
}

// All nodes have died. The first one that starts again finds nobody of them.
func TestStartAfterDeathOfAll(t *testing.T) {
	f := newFamily(t)
	f.age(f.survivor, slowTTL)
	f.age(f.other, slowTTL)
	present(t, open(t, Config{Addresses: []string{f.server.Addr}, PresenceTTL: slowTTL}), 0)
}

// What was buried long ago is forgotten.
func TestForgotten(t *testing.T) {
	f := newFamily(t)
	nodes := f.survivor.broker.keys.nodes()
	now := time.Now().UnixMilli()
	f.server.Do("ZADD", nodes, strconv.FormatInt(-(now-forget.Milliseconds()-60_000), 10), "old")
	f.server.Do("ZADD", nodes, strconv.FormatInt(-(now-forget.Milliseconds()+60_000), 10), "recent")
	f.beat(f.survivor)
	if old, recent := f.server.Do("ZSCORE", nodes, "old"), f.server.Do("ZSCORE", nodes, "recent"); old != nil || recent == nil {
		t.Errorf("old: %v, recent: %v", old, recent)
	}
}

// deaf is a connection that swallows what is sent, from when it is told to.
type deaf struct {
	net.Conn
	now atomic.Bool
}

func (c *deaf) Write(p []byte) (int, error) {
	if c.now.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// The connection of heartbeats dies quietly. The next heartbeat has another one, although those
// that were dialled before are still there.
func TestHeartbeatOverDeadConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []*deaf
	dying := false // connections that are dialled now are dead, too
	e := open(t, Config{Addresses: []string{startRedis(t)}, PresenceTTL: slowTTL, Timeout: 2 * time.Second,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			mu.Lock()
			defer mu.Unlock()
			c := &deaf{Conn: nc}
			c.now.Store(dying)
			all = append(all, c)
			return c, err
		}})
	mu.Lock()
	dying = true
	for _, c := range all {
		c.now.Store(true)
	}
	mu.Unlock()
	if e.broker.pulse(ctx) == nil || e.broker.beating() == nil {
		t.Fatal("a heartbeat that nobody heard has no error")
	}
	mu.Lock()
	dying = false
	mu.Unlock()
	await(t, "a heartbeat", func() bool { return e.broker.pulse(ctx) == nil })
	if err := e.broker.beating(); err != nil {
		t.Error(err)
	}
}

// BenchmarkHeartbeat prints what the heartbeat of a node costs a Redis that knows so many nodes.
//
//	go test -run '^$' -bench Heartbeat ./chat/redis
func BenchmarkHeartbeat(b *testing.B) {
	for _, nodes := range []int{3, 100} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			server := redistest.Start(b)
			e := open(b, Config{Addresses: []string{server.Addr}, PresenceTTL: slowTTL})
			for i := range nodes - 1 {
				server.Do("ZADD", e.broker.keys.nodes(), strconv.FormatInt(time.Now().UnixMilli(), 10), fmt.Sprint("node", i))
			}
			b.ResetTimer()
			before, _ := cpu(b, server)
			for range b.N {
				if err := e.broker.pulse(ctx); err != nil {
					b.Fatal(err)
				}
			}
			after, _ := cpu(b, server)
			b.ReportMetric((after-before)/float64(b.N), "Redis-µs/op")
		})
	}
}
