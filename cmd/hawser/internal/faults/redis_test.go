//go:build linux

package faults

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// redisBreakages are what can happen to Redis, and between the nodes and it. If its log is
// synced always, only FLUSHALL loses anything.
func (r *run) redisBreakages(redis *redistest.Server) []breakage {
	all := []breakage{
		{"kill -9 of Redis", func(ctx context.Context, rng *rand.Rand, _ *node) {
			redis.Kill()
			hold(ctx, rng, 0, 4*time.Second)
			redis.Restart()
		}},
		{"restart of Redis", func(ctx context.Context, rng *rand.Rand, _ *node) {
			redis.Shutdown()
			hold(ctx, rng, 0, time.Second)
			redis.Restart()
		}},
		{"SIGSTOP of Redis", func(ctx context.Context, rng *rand.Rand, _ *node) {
			redis.Pause()
			hold(ctx, rng, time.Second, 8*time.Second)
			redis.Resume()
		}},
		{"slow Redis", func(ctx context.Context, rng *rand.Rand, _ *node) {
			for range 3 {
				redis.Try("DEBUG", "SLEEP", 0.2+rng.Float64())
				hold(ctx, rng, 0, time.Second)
			}
		}},
		{"paused writes of Redis", func(ctx context.Context, rng *rand.Rand, _ *node) {
			redis.Try("CLIENT", "PAUSE", 8000, "WRITE")
			hold(ctx, rng, time.Second, 8*time.Second)
			redis.Try("CLIENT", "UNPAUSE")
		}},
	}
	all = append(all, relayBreakages("Redis", func(n *node) *redistest.Relay { return n.redis })...)
	if r.flush {
		all = append(all, breakage{"FLUSHALL", func(context.Context, *rand.Rand, *node) {
			began := r.rec.now()
			r.lossy.Store(true)
			redis.Try("FLUSHALL")
			r.rec.add(consistency.Event{Kind: consistency.Lossy, Began: began, Window: -1})
			r.flushes.Add(1)
		}})
	}
	return all
}

// failovers are the ways in which another server becomes the master. What was acknowledged is at
// a replica, and so at the new master. What was only seen may be lost, and then there is a new
// epoch.
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
			old.Resume() // it still takes itself for the master, for a moment
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
