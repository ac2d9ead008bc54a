//go:build linux

package faults

import (
	"context"
	"math/rand/v2"
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
