//go:build linux

package faults

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// breakage is a way to break something. It breaks it, waits, and repairs it; earlier if the
// context ends.
type breakage struct {
	name string
	do   func(ctx context.Context, rng *rand.Rand, n *node)
}

// nemesis breaks things of one kind, one after the other.
type nemesis struct {
	run    *run
	rng    *rand.Rand
	things []breakage
}

// breakThings breaks things for the time of a round, and repairs them all.
func (r *run) breakThings(ctx context.Context) {
	round, cancel := context.WithTimeout(ctx, r.plan.breaking)
	defer cancel()
	var all sync.WaitGroup
	for _, things := range [][]breakage{r.nodeBreakages(), r.store} {
		if len(things) > 0 {
			n := &nemesis{run: r, rng: rand.New(rand.NewPCG(r.rng.Uint64(), 0)), things: things}
			all.Go(func() { n.breakThings(round) })
		}
	}
	all.Wait()
}

func (m *nemesis) breakThings(ctx context.Context) {
	for hold(ctx, m.rng, 200*time.Millisecond, 2*time.Second); ctx.Err() == nil; hold(ctx, m.rng, 0, 2*time.Second) {
		b, n := m.things[m.rng.IntN(len(m.things))], m.run.nodes[m.rng.IntN(len(m.run.nodes))]
		m.run.rec.count("broken: " + b.name)
		m.run.rec.add(consistency.Event{Kind: consistency.Fault, Node: n.name, Reason: b.name + ": begins"})
		b.do(ctx, m.rng, n)
		m.run.rec.add(consistency.Event{Kind: consistency.Fault, Node: n.name, Reason: b.name + ": is over"})
	}
}

// hold waits for a random time.
func hold(ctx context.Context, rng *rand.Rand, least, max time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(least + time.Duration(rng.Int64N(int64(max-least)))):
	}
}

// nodeBreakages are what can happen to a node, and between its clients and it.
func (r *run) nodeBreakages() []breakage {
	stop := func(s syscall.Signal) func(context.Context, *rand.Rand, *node) {
		return func(ctx context.Context, rng *rand.Rand, n *node) {
			n.end(s)
			hold(ctx, rng, 0, 2*time.Second)
			r.start(n)
		}
	}
	all := []breakage{
		{"kill -9 of a node", stop(syscall.SIGKILL)},
		{"restart of a node", stop(syscall.SIGTERM)},
		{"SIGSTOP of a node", func(ctx context.Context, rng *rand.Rand, n *node) {
			n.signal(syscall.SIGSTOP)
			hold(ctx, rng, time.Second, 8*time.Second)
			n.signal(syscall.SIGCONT)
		}},
	}
	if r.skewed {
		all = append(all, breakage{"wrong clock of a node", func(ctx context.Context, rng *rand.Rand, n *node) {
			most := []int64{5, 90, 3600, 6 * 3600}[rng.IntN(4)] // with a store of its own, a ref is known for a day by its clock
			n.kill()
			n.skew = rng.Int64N(2*most+1) - most
			r.start(n)
		}})
	}
	return append(all, relayBreakages("clients", func(n *node) *redistest.Relay { return n.relay })...)
}

// start starts a node again, however long that takes.
func (r *run) start(n *node) {
	ctx, cancel := context.WithTimeout(r.t.Context(), settleTime)
	defer cancel()
	if err := n.start(ctx); err != nil {
		r.rec.problem("%s does not start again: %v", n.name, err)
	}
}

// relayBreakages are what can happen to the connections between a node and someone.
func relayBreakages(who string, of func(*node) *redistest.Relay) []breakage {
	held := func(begin func(*redistest.Relay), most time.Duration) func(context.Context, *rand.Rand, *node) {
		return func(ctx context.Context, rng *rand.Rand, n *node) {
			begin(of(n))
			hold(ctx, rng, 0, most)
			of(n).Open()
		}
	}
	return []breakage{
		{"reset of the connections to " + who, held((*redistest.Relay).Reset, time.Millisecond)},
		{"cut between a node and " + who, held((*redistest.Relay).Cut, 4*time.Second)},
		{"black hole between a node and " + who, held((*redistest.Relay).Blackhole, 8*time.Second)},
		{"stall between a node and " + who, held((*redistest.Relay).Stall, 8*time.Second)},
		{"delay between a node and " + who, func(ctx context.Context, rng *rand.Rand, n *node) {
			of(n).Delay(time.Duration(rng.Int64N(int64(500 * time.Millisecond))))
			hold(ctx, rng, time.Second, 4*time.Second)
			of(n).Delay(0)
		}},
	}
}
