//go:build linux

package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// settleTime is how long the service may take to become well after everything was repaired.
const settleTime = time.Minute

// plan describes a run.
type plan struct {
	people, devices int // the maximum number of clients of each person
	rooms           int
	pace            time.Duration // how long a client waits, on average, before it does something
	rounds          int
	breaking        time.Duration // how long the service is broken in a round
	flush           bool          // whether Redis may be flushed
	program         string        // of the nodes
	skewed          bool          // whether the nodes' clocks may be wrong: the program is skewedProgram's
}

// run is a service, its clients and what breaks it.
type run struct {
	plan
	t       *testing.T
	rec     *recorder
	rng     *rand.Rand
	nodes   []*node
	store   []breakage // faults of what the nodes share
	people  []*person
	rooms   []string
	clients []*client
	auditor *person
	forgets bool // the service may lose its users

	broken  atomic.Bool
	lossy   atomic.Bool // something may have been lost
	flushes atomic.Int64

	mu sync.Mutex
	// Guarded by mu.
	talks map[string]bool          // the private conversations
	said  map[string]time.Duration // when each message was sent for the first time, by content
}

func newRun(t *testing.T, seed uint64, p plan, nodes []*node) *run {
	return &run{plan: p, t: t, rec: newRecorder(), rng: rand.New(rand.NewPCG(seed, 0)), nodes: nodes, forgets: p.flush, talks: map[string]bool{}, said: map[string]time.Duration{}}
}

// breaking reports whether the clients may act at random.
func (r *run) breaking() bool { return r.broken.Load() }

// unknown reports whether a user is refused because the service has lost them: before the token
// was checked, or after.
func (r *run) unknown(e *refusedError) bool {
	return r.forgets && (e.Reason == "token_refused" || e.Reason == "user_deleted")
}

// talk notes that a private conversation exists.
func (r *run) talk(conversation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.talks[conversation] = true
}

// saying notes that a message is about to be sent.
func (r *run) saying(content string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, again := r.said[content]; !again {
		r.said[content] = r.rec.now()
	}
}

// saidSince reports whether a message was sent for the first time after then.
func (r *run) saidSince(content string, then time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said[content] > then
}

// do runs everything, and checks it.
func (r *run) do() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	for _, n := range r.nodes {
		if err := n.start(ctx); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.populate(ctx); err != nil {
		r.t.Fatal(err)
	}
	var living sync.WaitGroup
	for _, c := range r.clients {
		living.Go(func() { c.live(ctx) })
	}
	for round := range r.rounds {
		r.broken.Store(true)
		r.breakThings(ctx)
		r.broken.Store(false)
		if !r.settle(ctx, round == r.rounds-1) {
			break // later events prove nothing
		}
	}
	cancel()
	living.Wait()
	r.report()
}

// populate makes the users and their clients.
func (r *run) populate(ctx context.Context) (err error) {
	for i := range r.plan.rooms {
		r.rooms = append(r.rooms, fmt.Sprintf("room-%d", i))
	}
	for i := range r.plan.people + 1 {
		p := &person{name: fmt.Sprintf("Person %d", i), rooms: map[string]bool{}, members: map[string]bool{}}
		if p.account, err = r.nodes[i%len(r.nodes)].guest(ctx, p.name); err != nil {
			return err
		}
		if i == r.plan.people {
			p.name, r.auditor = "Auditor", p
			break
		}
		r.people = append(r.people, p)
		for range 1 + r.rng.IntN(3) {
			p.rooms[r.rooms[r.rng.IntN(len(r.rooms))]] = true
		}
		p.devices = 1 + r.rng.IntN(r.devices)
		for d := range p.devices {
			c := &client{
				name: fmt.Sprintf("c%d.%d", i, d), run: r, person: p, token: p.account.Token, user: p.account.ID,
				rng:  rand.New(rand.NewPCG(r.rng.Uint64(), 0)),
				held: map[string]*holding{}, leaving: map[string]bool{},
				resumes: r.rng.IntN(2) > 0, trusts: r.rng.IntN(2) > 0,
			}
			if r.rng.IntN(3) > 0 {
				c.features = []string{"ack", "presence", "system"}
			}
			r.clients = append(r.clients, c)
		}
	}
	return nil
}

// settle waits until everything is well, or for settleTime, and then takes an audit. It
// returns whether it is.
func (r *run) settle(ctx context.Context, last bool) bool {
	a := &audit{run: r, links: map[auditKey]*link{}}
	for end := time.Now().Add(settleTime); ; time.Sleep(200 * time.Millisecond) {
		problem := r.waiting()
		late := time.Now().After(end)
		if problem == "" || late {
			began := r.rec.now()
			events, wrong := a.pass(ctx, last || late)
			if problem == "" {
				problem = wrong
			}
			if problem == "" {
				problem = r.waiting() // still
			}
			if problem == "" || late {
				r.rec.add(append(events, consistency.Event{Kind: consistency.Settled, Began: began})...)
			}
		}
		if problem == "" {
			return true
		}
		if late {
			r.rec.problem("not well %v after everything was mended: %s", settleTime, problem)
			return false
		}
	}
}

// waiting says what some client still has to do before it is at rest, or "".
func (r *run) waiting() string {
	for _, c := range r.clients {
		if w := c.waiting(); w != "" {
			return w
		}
	}
	return ""
}

// report prints what happened, and fails the test for what is wrong.
func (r *run) report() {
	r.t.Helper()
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(r.rec.counts)) {
		fmt.Fprintf(&b, "\n%7d %s", r.rec.counts[what], what)
	}
	r.t.Logf("%d nodes, %d clients, %.0f s:%s", len(r.nodes), len(r.clients), r.rec.now().Seconds(), b.String())
	if r.rec.counts[string(consistency.Acked)] == 0 || r.rec.counts[string(consistency.Settled)] == 0 {
		r.t.Error("nothing was acknowledged, or nothing settled: nothing is shown")
	}
	for _, p := range r.rec.problems {
		r.t.Error(p)
	}
	for _, v := range consistency.Check(r.rec.events) {
		r.t.Error(v)
	}
	if r.t.Failed() {
		r.save()
	}
}

// save keeps the history of a failed run, and the nodes' logs.
func (r *run) save() {
	name := filepath.Join(os.TempDir(), fmt.Sprintf("hawser-%s-%d.jsonl", filepath.Base(r.t.Name()), os.Getpid()))
	f, err := os.Create(name)
	if err == nil {
		err = consistency.Save(f, r.rec.events)
		f.Close()
	}
	r.t.Logf("the history is in %s (%v)", name, err)
	for _, n := range r.nodes {
		log := strings.TrimSuffix(name, ".jsonl") + "-" + n.name + ".log"
		b, err := os.ReadFile(n.log)
		if err == nil {
			err = os.WriteFile(log, b, 0o600)
		}
		r.t.Logf("the log of %s is in %s (%v)", n.name, log, err)
	}
}
