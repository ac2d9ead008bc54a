//go:build linux && faults

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// Three nodes, and a Redis with a replica; the sentinels choose the master. Acknowledged
// messages are on the disks of both. With more replicas than an acknowledgement waits for, the
// sentinels may choose one that does not have it.
func TestFailover(t *testing.T) {
	t.Parallel() // they mostly wait
	p := plan{people: 8, devices: 2, rooms: 4, pace: 500 * time.Millisecond, rounds: 1, breaking: 8 * time.Second}.lasting(t)
	sentinel := redistest.StartSentinel(t, redistest.AOF("always"), redistest.Replicas(1), redistest.DownAfter(4*time.Second))
	key := tokenKey(t)
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, newNode(t, p.program, fmt.Sprintf("n%d", i+1), t.TempDir(), nil,
			"--redis=redis-sentinel://"+strings.Join(sentinel.Addrs(), ",")+"?master="+sentinel.Name,
			"--redis-ack=disk,replicas:1", "--redis-history=100000", "--token-key-file="+key))
	}
	r := newRun(t, seed(t), p, nodes)
	r.store = r.failovers(sentinel)
	r.do()
}

// failovers are the ways in which another server becomes the master. Acknowledged messages are
// at a replica, and so at the new master. Messages that were only seen may be lost, and then
// there is a new epoch.
func (r *run) failovers(g *redistest.Sentinel) []breakage {
	begin := func() *redistest.Server {
		g.AwaitReplicas()
		old := g.Master()
		now := r.rec.now()
		r.lossy.Store(true)
		r.rec.add(consistency.Event{Kind: consistency.Lossy, Began: now})
		return old
	}
	return []breakage{
		{"kill -9 of the master", func(ctx context.Context, rng *rand.Rand, _ *node) {
			old := begin()
			old.Kill()
			g.AwaitFailover(old)
			hold(ctx, rng, 0, 2*time.Second)
			old.Restart()
			g.AwaitReplicas()
		}},
		{"SIGSTOP of the master", func(ctx context.Context, rng *rand.Rand, _ *node) {
			old := begin()
			old.Pause()
			g.AwaitFailover(old)
			hold(ctx, rng, 0, 2*time.Second)
			old.Resume() // it still believes that it is the master, for a moment
			g.AwaitReplicas()
		}},
		{"planned failover", func(context.Context, *rand.Rand, *node) {
			begin()
			g.Failover()
		}},
		{"kill -9 of a replica", func(ctx context.Context, rng *rand.Rand, _ *node) {
			master := g.Master()
			i := slices.IndexFunc(g.Servers, func(s *redistest.Server) bool { return s != master })
			g.Servers[i].Kill()
			hold(ctx, rng, 0, 2*time.Second)
			g.Servers[i].Restart()
			g.AwaitReplicas()
		}},
	}
}
