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

// registry is which nodes there are, as of the last heartbeat. A node whose last heartbeat is
// older than Config.PresenceTTL is dead: it does not come back, and a node that notices removes what
// it had. If it was only slow, it registers again under a new id.
//
//	alive --no heartbeat for PresenceTTL--> condemned --everything removed--> cleaned --an hour--> forgotten
type registry struct {
	// Guarded by broker.mu.
	self  string // the process's own id, by which sessions name it
	known map[string]time.Duration
	at    time.Time // when known was read

	ghosts map[string]bool // nodes that are named somewhere, and were not known then
}

const (
	condemned = time.Duration(-1)
	cleaned   = time.Duration(-2)
	forget    = time.Hour
)

// register makes a node known. It counts as alive from then on.
func (b *broker) register(ctx context.Context, id string) error {
	return b.beat(ctx, map[string]bool{id: true})
}

// unregister is for a node that has removed everything itself.
func (b *broker) unregister(ctx context.Context, id string) {
	condemnScript.run(ctx, b.client, call{[]string{b.keys.nodes()}, []string{id, "0", "0"}})
}

// beat sends the heartbeat of some nodes, of which some begin, and reads all others'.
func (b *broker) beat(ctx context.Context, own map[string]bool) error {
	ids := slices.Sorted(maps.Keys(own))
	args := []string{strconv.FormatInt(b.cfg.PresenceTTL.Milliseconds(), 10), strconv.FormatInt(forget.Milliseconds(), 10)}
	for _, id := range ids {
		args = append(args, id, flag(own[id]))
	}
	values, err := pulseScript.run(ctx, b.client, call{[]string{b.keys.nodes()}, args}).ToArray()
	if err != nil {
		return err
	}
	if len(values) != 3 {
		return errReply
	}
	alive, err := values[1].AsIntSlice()
	if err != nil || len(alive) != len(ids) {
		return errReply
	}
	all, err := values[2].AsStrSlice()
	if err != nil {
		return err
	}
	known := make(map[string]time.Duration)
	for i := 0; i+1 < len(all); i += 2 {
		ms, err := strconv.ParseFloat(all[i+1], 64)
		if err != nil {
			return errReply
		}
		switch {
		case ms >= 0:
			known[all[i]] = time.Duration(ms) * time.Millisecond
		case ms == -1:
			known[all[i]] = condemned
		default:
			known[all[i]] = cleaned
		}
	}
	b.mu.Lock()
	b.registry.known, b.registry.at, b.registry.ghosts = known, time.Now(), make(map[string]bool)
	b.mu.Unlock()
	for i, id := range ids {
		if alive[i] == 0 {
			b.revive(id)
		}
	}
	return nil
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
			b.wg.Go(func() { b.removeOwn(n, id) })
		}
	}
}

// removeOwn removes what a node had under an earlier id: it may have stored more since the others
// removed what they found.
func (b *broker) removeOwn(n *node, id string) {
	for failures := 1; b.ctx.Err() == nil; failures++ {
		err := n.roster.flush(b.ctx) // then nothing more is stored under that id
		if err == nil {
			err = b.remove(id)
		}
		if err == nil {
			return
		}
		b.pause(failures)
	}
}

// pulse sends the heartbeat of all nodes here, and looks after those that are dead.
func (b *broker) pulse(ctx context.Context) error {
	own := make(map[string]bool)
	for _, n := range b.all() {
		n.roster.mu.Lock()
		if n.roster.registered {
			own[n.roster.id] = false
		}
		n.roster.mu.Unlock()
	}
	b.mu.Lock()
	self := b.registry.self
	b.mu.Unlock()
	if self != "" {
		own[self] = true
	}
	if err := b.beat(ctx, own); err != nil {
		return err
	}
	b.mu.Lock()
	known := b.registry.known
	b.mu.Unlock()
	for id, age := range known {
		switch {
		case age > b.cfg.PresenceTTL:
			condemnScript.run(ctx, b.client, call{[]string{b.keys.nodes()}, []string{id, strconv.FormatInt(b.cfg.PresenceTTL.Milliseconds(), 10), ""}})
		case age == condemned:
			b.bury(id)
		}
	}
	return nil
}

// bury removes what a dead node had, unless that is under way.
func (b *broker) bury(id string) {
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
		// Several survivors notice at once. Doing it twice is no harm, but work.
		select {
		case <-time.After(jitter(b.cfg.PresenceTTL / 8)):
		case <-b.ctx.Done():
		}
		if err := b.remove(id); err == nil {
			ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
			condemnScript.run(ctx, b.client, call{[]string{b.keys.nodes()}, []string{id, "0", "-2"}})
			cancel()
		}
		b.mu.Lock()
		delete(b.burying, id)
		b.mu.Unlock()
	})
}

// remove removes what a node had, and tells who is gone. It may be done by any number of nodes,
// any number of times.
func (b *broker) remove(id string) error {
	var all []int
	for p := range Partitions {
		all = append(all, p)
	}
	for len(all) > 0 {
		var left []int
		for some := range slices.Chunk(all, 256) {
			ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
			more, err := b.removeFrom(ctx, id, some)
			cancel()
			if err != nil {
				return err
			}
			left = append(left, more...)
		}
		all = left
	}
	return nil
}

// removeFrom removes some of what a node had in some partitions, and returns those that may have
// more.
func (b *broker) removeFrom(ctx context.Context, id string, partitions []int) (more []int, err error) {
	cmds := make(rueidis.Commands, len(partitions))
	for i, p := range partitions {
		cmds[i] = b.client.B().Srandmember().Key(b.keys.ofNode(p, id)).Count(50).Build()
	}
	var places, online []call
	for i, r := range b.client.DoMulti(ctx, cmds...) {
		items, err := r.AsStrSlice()
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			room, user, _ := strings.Cut(item, " ")
			if room == "" {
				online = append(online, b.onlineCall(id, user, false))
			} else {
				places = append(places, b.placeCall(id, presenceChange{room: room, user: user, as: chat.User{ID: user}}))
			}
		}
		if len(items) > 0 {
			more = append(more, partitions[i])
		}
	}
	for _, r := range slices.Concat(placeScript.runAll(ctx, b.client, places), onlineScript.runAll(ctx, b.client, online)) {
		if err := r.Error(); err != nil {
			return nil, err
		}
	}
	return more, nil
}

// anyDead reports whether there is a dead node of which something may be stored.
func (b *broker) anyDead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := time.Since(b.registry.at)
	for _, age := range b.registry.known {
		if age == condemned || age >= 0 && age+since > b.cfg.PresenceTTL {
			return true
		}
	}
	return false
}

// anyAlive reports whether one of these nodes is alive. Of a node that is not known, Redis is
// asked: it may have begun just now. One that Redis does not know is dead, as a node registers
// before it stores anything.
func (b *broker) anyAlive(ctx context.Context, ids []string) bool {
	alive, unknown := b.look(ids)
	if alive || len(unknown) == 0 || b.beat(ctx, nil) != nil {
		return alive
	}
	alive, unknown = b.look(ids)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range unknown {
		b.registry.ghosts[id] = true
	}
	return alive
}

// look reports whether one of these nodes is known to be alive, and of which nothing is known.
func (b *broker) look(ids []string) (alive bool, unknown []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := time.Since(b.registry.at)
	for _, id := range ids {
		age, known := b.registry.known[id]
		switch {
		case known && age >= 0 && age+since <= b.cfg.PresenceTTL:
			return true, nil
		case !known && !b.registry.ghosts[id] || since > b.cfg.PresenceTTL/2:
			unknown = append(unknown, id)
		}
	}
	return false, unknown
}
