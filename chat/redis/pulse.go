package redis

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// This file sends heartbeats. registry.go is what follows from them.

// pulse sends the heartbeat of all nodes here.
func (b *broker) pulse(ctx context.Context) error {
	err := b.beat(ctx, b.own())
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() == nil {
		b.registry.err = err
	}
	return err
}

// beating returns the error of the last heartbeat.
func (b *broker) beating() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.registry.err
}

// pulsed is what a heartbeat returns.
type pulsed struct {
	gone  []string         // those of the caller's nodes that are not alive
	dead  []string         // the nodes that were declared dead
	nodes []rueidis.ZScore // all nodes
}

// sendPulse sends a heartbeat. Nodes that were silent for so long are declared dead.
func (b *broker) sendPulse(ctx context.Context, silence time.Duration, own map[string]bool) (p pulsed, err error) {
	ids := slices.Sorted(maps.Keys(own))
	args := []string{milliseconds(silence), milliseconds(b.cfg.awayAfter()), milliseconds(forget)}
	for _, id := range ids {
		args = append(args, id, flag(own[id]))
	}
	values, err := pulseScript.run(ctx, b.heart, call{[]string{b.keys.nodes()}, args}).ToArray()
	if err != nil {
		return p, err
	}
	if len(values) != 3 {
		return p, errReply
	}
	lives, e1 := values[0].AsIntSlice()
	dead, e2 := values[1].AsStrSlice()
	nodes, e3 := values[2].AsZScores()
	if err := errors.Join(e1, e2, e3); err != nil {
		return p, err
	}
	if len(lives) != len(ids) {
		return p, errReply
	}
	p.dead, p.nodes = dead, nodes
	for i, id := range ids {
		if lives[i] == 0 {
			p.gone = append(p.gone, id)
		}
	}
	return p, nil
}

// heartbeat is pulse; while the gate is shut, it is keepAlive.
func (b *broker) heartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	if !b.gate.try() {
		_, err := b.keepAlive(ctx)
		return err
	}
	defer b.gate.leave()
	return b.pulse(ctx)
}

var errThoughtDead = errors.New("chat/redis: Redis does not know this node, or takes it for dead: try again")

// keepAlive sends a heartbeat that has no other effect than that the nodes of this process stay alive: it declares no
// node dead, and none begins. So it does not matter if another process sends heartbeats for the same nodes. It
// returns when the heartbeat was, by Redis's time in ms.
func (b *broker) keepAlive(ctx context.Context) (at int64, err error) {
	own := b.own()
	for id := range own {
		own[id] = false
	}
	p, err := b.sendPulse(ctx, math.MaxInt64, own)
	if err != nil {
		return 0, err
	}
	if len(p.gone) > 0 {
		return 0, errThoughtDead
	}
	for _, n := range p.nodes {
		if _, ours := own[n.Member]; ours {
			at = int64(n.Score)
		}
	}
	return at, nil
}
