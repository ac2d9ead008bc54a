package redis

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// registry is which nodes there are, as of the last heartbeat. A node that was silent for too long
// is dead: it does not come back, and a node that notices removes what it had. If it was only slow,
// it registers again under a new id.
//
//	alive --silent for silence()--> dead --everything removed--> buried --an hour--> forgotten
//
// Redis decides, by its own clock, at the heartbeats of the others. Silence, the next heartbeat of
// another node, and the removal fit into Config.PresenceTTL; three eighths of it are left for the
// removal and for delays.
type registry struct {
	// Guarded by broker.mu.
	self  string // the process's own id, by which sessions name it
	known map[string]nodeState
	at    time.Time // when known was read
	err   error     // of the last heartbeat

	ghosts map[string]bool // nodes that are named somewhere, and were not known then

	hidden map[string]map[move]bool // by node: who was left out of answers as only that one, which is dead, had them
}

type nodeState uint8

const (
	alive nodeState = iota
	dead
	buried
)

const forget = time.Hour

// beatEvery is the time between two heartbeats.
func (c *Config) beatEvery() time.Duration { return c.PresenceTTL / 8 }

// silence is how long a node may be silent. Three heartbeats may get lost.
func (c *Config) silence() time.Duration { return c.PresenceTTL / 2 }

// awayAfter is after how long a silence of all nodes it is Redis that was away.
func (c *Config) awayAfter() time.Duration { return c.PresenceTTL / 4 }

// beatTimeout bounds a heartbeat. Its connection is given up then, so that one that has died quietly
// costs less time than a node may be silent.
func (c *Config) beatTimeout() time.Duration {
	return min(c.Timeout, max(c.PresenceTTL/4, time.Second))
}

// register makes a node known. It counts as alive from then on.
func (b *broker) register(ctx context.Context, id string) error {
	own := b.own()
	own[id] = true
	return b.beat(ctx, own)
}

// unregister is for a node that has removed everything itself.
func (b *broker) unregister(ctx context.Context, id string) {
	if b.gate.isShut() { // it is another process's
		return
	}
	b.heart.Do(ctx, b.heart.B().Zrem().Key(b.keys.nodes()).Member(id).Build())
}

// own are the nodes of this process. Those begin, if Redis does not know them, that are true.
func (b *broker) own() map[string]bool {
	own := make(map[string]bool)
	for _, n := range b.all() {
		n.roster.mu.Lock()
		if n.roster.registered {
			own[n.roster.id] = false
		}
		n.roster.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.registry.self != "" {
		own[b.registry.self] = true
	}
	return own
}

// beat sends the heartbeat of the nodes of this process, reads all others', and has removed what
// those had that are dead.
func (b *broker) beat(ctx context.Context, own map[string]bool) error {
	r, err := b.sendPulse(ctx, b.cfg.silence(), own)
	if err != nil {
		return err
	}
	known := statesOf(r.nodes)
	b.mu.Lock()
	b.registry.known, b.registry.at, b.registry.ghosts = known, time.Now(), make(map[string]bool)
	again := b.registry.unhide()
	if len(again) > 0 {
		b.finding++
		b.gate.stay()
	}
	b.mu.Unlock()
	if len(again) > 0 {
		b.wg.Go(func() {
			defer b.gate.leave()
			for _, n := range b.all() {
				n.findAgain(again)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.finding--
		})
	}
	for _, id := range r.gone {
		b.revive(id)
	}
	for id, state := range known {
		if state == dead {
			b.bury(id, slices.Contains(r.dead, id))
		}
	}
	return nil
}

// hide takes note of somebody who was left out of an answer, as only these nodes have them. They may
// have come to another one that did not know yet that these are dead: then nobody is told, neither of
// that nor when the dead ones are removed.
func (b *broker) hide(who move, nodes []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range nodes {
		if b.registry.known[id] != dead {
			continue
		}
		if b.registry.hidden == nil {
			b.registry.hidden = make(map[string]map[move]bool)
		}
		if b.registry.hidden[id] == nil {
			b.registry.hidden[id] = make(map[move]bool)
		}
		b.registry.hidden[id][who] = true
	}
}

// unhide returns who was left out because of nodes that are removed by now. Called with broker.mu held.
func (r *registry) unhide() (again []move) {
	for id, some := range r.hidden {
		if r.known[id] != dead {
			again = slices.AppendSeq(again, maps.Keys(some))
			delete(r.hidden, id)
		}
	}
	return again
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// statesOf reads ids and scores.
func statesOf(all []rueidis.ZScore) map[string]nodeState {
	known := make(map[string]nodeState)
	for _, n := range all {
		switch {
		case n.Score >= 0:
			known[n.Member] = alive
		case n.Score == -1:
			known[n.Member] = dead
		default:
			known[n.Member] = buried
		}
	}
	return known
}

// revive gives a node another id that was thought dead, or that Redis has forgotten.
func (b *broker) revive(id string) {
	b.cfg.Log.Warn("chat/redis: this node was thought dead, or Redis has lost its data; who is connected is told again")
	b.mu.Lock()
	self := b.registry.self == id
	b.mu.Unlock()
	if self {
		id := b.reborn()
		b.mu.Lock()
		b.registry.self = id
		b.mu.Unlock()
	}
	for _, n := range b.all() {
		n.roster.mu.Lock()
		is := n.roster.id == id
		n.roster.mu.Unlock()
		if is {
			n.roster.again()
			b.mu.Lock()
			b.removing++
			b.mu.Unlock()
			b.wg.Go(func() {
				b.removeOwn(n, id)
				b.mu.Lock()
				b.removing--
				b.mu.Unlock()
			})
		}
	}
}

// removeOwn removes what a node had under an earlier id: it may have stored more since the others
// removed what they found.
func (b *broker) removeOwn(n *node, id string) {
	for failures := 1; b.ctx.Err() == nil; failures++ {
		err := n.roster.flush(b.ctx) // then nothing more is stored under that id
		if err == nil {
			_, err = b.remove(id)
		}
		if err == nil {
			return
		}
		b.pause(failures)
	}
}

// bury removes what a dead node had, unless that is under way here. The node that has found out
// does it at once. The others see to it that it is done, should that one die, too.
func (b *broker) bury(id string, found bool) {
	b.mu.Lock()
	busy := b.burying[id]
	if !busy {
		if b.burying == nil {
			b.burying = make(map[string]bool)
		}
		b.burying[id] = true
	}
	b.mu.Unlock()
	if busy {
		return
	}
	b.wg.Go(func() {
		defer func() {
			b.mu.Lock()
			delete(b.burying, id)
			b.mu.Unlock()
		}()
		if !found {
			select {
			case <-time.After(jitter(b.cfg.PresenceTTL / 4)):
			case <-b.ctx.Done():
			}
			b.mu.Lock()
			done := b.registry.known[id] != dead
			b.mu.Unlock()
			if done {
				return
			}
		}
		if kept, err := b.remove(id); err == nil && kept { // otherwise the next heartbeat does it again
			if b.gate.enter(b.ctx) != nil {
				return
			}
			defer b.gate.leave()
			ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
			buriedScript.run(ctx, b.client, call{[]string{b.keys.nodes()}, []string{id}})
			cancel()
		}
	})
}

// remove removes what a node had, and tells who is gone. It may be done by any number of nodes,
// any number of times. kept is false if a failover may bring something back. It passes the gate
// at each step.
func (b *broker) remove(id string) (kept bool, err error) {
	kept = true
	var all []int
	for p := range Partitions {
		all = append(all, p)
	}
	for len(all) > 0 {
		var left []int
		for some := range slices.Chunk(all, 256) {
			if err := b.gate.enter(b.ctx); err != nil {
				return false, err
			}
			ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
			more, safe, err := b.removeFrom(ctx, id, some)
			cancel()
			b.gate.leave()
			if err != nil {
				return false, err
			}
			left, kept = append(left, more...), kept && safe
		}
		all = left
	}
	return kept, nil
}

// removeFrom removes some of what a node had in some partitions, and returns those that may have
// more.
func (b *broker) removeFrom(ctx context.Context, id string, partitions []int) (more []int, kept bool, err error) {
	cmds := make(rueidis.Commands, len(partitions))
	for i, p := range partitions {
		cmds[i] = b.client.B().Srandmember().Key(b.keys.ofNode(p, id)).Count(50).Build()
	}
	var changes []presenceChange
	for i, r := range b.client.DoMulti(ctx, cmds...) {
		items, err := r.AsStrSlice()
		if err != nil {
			return nil, false, err
		}
		for _, item := range items {
			room, user, _ := strings.Cut(item, " ")
			changes = append(changes, presenceChange{room: room, user: user, as: chat.User{ID: user}})
		}
		if len(items) > 0 {
			more = append(more, partitions[i])
		}
	}
	kept, err = b.tellPresence(ctx, id, changes)
	return more, kept, err
}

// anyDead reports whether there may be a dead node of which something is stored.
func (b *broker) anyDead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, state := range b.registry.known {
		if state == dead {
			return true
		}
	}
	return b.stale()
}

// stale reports whether the registry must be read again before anything is said of it. Called with
// mu held.
func (b *broker) stale() bool { return time.Since(b.registry.at) > 2*b.cfg.beatEvery() }

// anyAlive reports whether one of these nodes is alive. Of a node that is not known, Redis is
// asked: it may have begun just now. One that Redis does not know is dead, as a node registers
// before it stores anything.
func (b *broker) anyAlive(ctx context.Context, ids []string) bool {
	yes, unknown := b.look(ids, false)
	if yes || len(unknown) == 0 {
		return yes
	}
	if b.beat(ctx, b.own()) != nil {
		yes, _ = b.look(ids, true)
		return yes
	}
	yes, unknown = b.look(ids, true)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range unknown {
		b.registry.ghosts[id] = true
	}
	return yes
}

// look reports whether one of these nodes is alive, and which are not known. If what is known is
// too old, nothing is, unless that must do.
func (b *broker) look(ids []string, mustDo bool) (yes bool, unknown []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !mustDo && b.stale() {
		return false, ids
	}
	for _, id := range ids {
		state, known := b.registry.known[id]
		switch {
		case known && state == alive:
			return true, nil
		case !known && !b.registry.ghosts[id]:
			unknown = append(unknown, id)
		}
	}
	return false, unknown
}
