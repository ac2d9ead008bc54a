package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// After a flush, the control stream begins anew, perhaps before the place that a node has reached in
// the old one. The node reads all of the new one, and nothing of an old one again.
func TestControlAfterFlush(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	put(t, e, "u_ada")
	n, r := attach(t, e)
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		t.Fatal(err)
	}
	defer n.Disconnect("u_ada")
	control := e.broker.keys.control()
	ended := func(want ...string) func() bool {
		return func() bool {
			e.broker.readControlSoon()
			r.mu.Lock()
			defer r.mu.Unlock()
			return slices.Equal(r.ends, want)
		}
	}
	if err := e.broker.end(ctx, "u_ada", "s_1", chat.LoggedOut); err != nil {
		t.Fatal(err)
	}
	await(t, "the first end", ended(`u_ada "s_1" logged out`))
	e.broker.mu.Lock()
	first := e.broker.control
	e.broker.mu.Unlock()
	ms, n1 := entryNumbers(first)
	if n1 < saltedEntries {
		t.Errorf("the first entry is %s", first)
	}

	server.Do("XADD", control, fmt.Sprintf("%d-%d", ms+1_000_000, 7), "w", "u_ada s_2 0") // a clock that is ahead
	await(t, "the second end", ended(`u_ada "s_1" logged out`, `u_ada "s_2" logged out`))
	server.Do("XDEL", control, fmt.Sprintf("%d-%d", ms+1_000_000, 7)) // as a failover loses it
	for range 2 {
		if err := e.broker.readControl(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !ended(`u_ada "s_1" logged out`, `u_ada "s_2" logged out`)() {
		t.Errorf("after a lost entry, ended are %v", r.ends)
	}

	// One step, so that nobody reads in between.
	server.Do("EVAL", `redis.call('FLUSHALL')
for i, what in ipairs({'u_ada s_3 0', 'u_ada s_4 0'}) do
	redis.call('XADD', KEYS[1], ARGV[i], 'w', what)
end`, 1, control, fmt.Sprintf("%d-%d", ms, uint64(saltedEntries)), fmt.Sprintf("%d-0", ms+1))
	await(t, "the ends after the flush", ended(`u_ada "s_1" logged out`, `u_ada "s_2" logged out`, `u_ada "s_3" logged out`, `u_ada "s_4" logged out`))
}

// Two streams have no entry in common, even of the same millisecond.
func TestControlEntriesDiffer(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	seen := make(map[string]bool)
	for range 50 {
		server.Do("FLUSHALL")
		for range 3 {
			if err := e.broker.end(ctx, "u_ada", "s_1", chat.LoggedOut); err != nil {
				t.Fatal(err)
			}
		}
		entries, err := e.client.Do(ctx, e.client.B().Xrange().Key(e.broker.keys.control()).Start("-").End("+").Build()).AsXRange()
		if err != nil || len(entries) != 3 {
			t.Fatal(len(entries), err)
		}
		for _, one := range entries {
			if seen[one.ID] {
				t.Errorf("there are two entries %s", one.ID)
			}
			seen[one.ID] = true
		}
	}
}

// A server that does not answer a dial holds up nobody for longer than their context, and the
// connection is used later.
func TestDedicateWithinContext(t *testing.T) {
	address := startRedis(t)
	var blocked atomic.Bool
	free := make(chan struct{})
	dialing := make(chan struct{}, 100)
	e := open(t, Config{Addresses: []string{address}, Dial: func(ctx context.Context, address string) (net.Conn, error) {
		if blocked.Load() {
			dialing <- struct{}{}
			<-free
		}
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}})
	blocked.Store(true)
	short, cancel := context.WithCancel(ctx)
	failed := make(chan error)
	go func() {
		_, _, err := e.client.dedicate(short, e.client.Client)
		failed <- err
	}()
	<-dialing
	cancel()
	if err := <-failed; err == nil || errors.Is(written(err), chat.ErrOutcomeUnknown) {
		t.Errorf("a dial that does not end: %v", err)
	}
	blocked.Store(false)
	close(free)
	conn, release, err := e.client.dedicate(ctx, e.client.Client)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := conn.Do(ctx, conn.B().Time().Build()).Error(); err != nil {
		t.Error(err)
	}
}
