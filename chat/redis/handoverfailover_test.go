package redis

import (
	"slices"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// replicate waits until a replica has everything.
func (w *twoNodes) replicate(t *testing.T) {
	t.Helper()
	cfg := w.other.cfg
	cfg.Ack = Ack{Replicas: 1}
	insist(t, open(t, cfg), "r:cellar", "what a replica has")
}

// While a node is handed over, a replica takes over from the primary, and has everything. So the new process may take
// over from the old one, whether it had connected to Redis before that or after it. Nobody is seen to leave.
func TestTakeOverAfterFailover(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"connected before": true, "connected after": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := redistest.StartSentinel(t, redistest.Replicas(1))
			w := newTwoNodesOn(t, Config{Addresses: g.Addrs(), Master: g.Name})
			var next *heir
			if before {
				next = openHeir(t, w.first.cfg)
			}
			freeze(t, w.first)
			w.replicate(t)
			g.Failover()
			insist(t, w.other, lobby, "meanwhile")
			if !before {
				next = openHeir(t, w.first.cfg)
			}
			next.inherit(t, w.first)
			await(t, "the new process to be connected", func() bool { return (takeover{next.Engine}).Ready(ctx) == nil })
			(takeover{next.Engine}).Start()
			(takeover{w.first}).Retire()
			await(t, "what was said", func() bool { return slices.Equal(next.r.of(lobby), []string{"meanwhile"}) })
			insist(t, next.Engine, lobby, "after")
			await(t, "what is said", func() bool { return slices.Equal(next.r.of(lobby), []string{"meanwhile", "after"}) })
			w.assertPlaces(t, next.Engine)
			if lost := next.r.losses(lobby); len(lost) > 0 {
				t.Errorf("lost: %v", lost)
			}
		})
	}
}

// The replica does not have what the old process has told last, and the new process is connected to that replica only.
// It would not know, so it refuses. The old one tells it again.
func TestTakeOverAfterLoss(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t, redistest.Replicas(1))
	w := newTwoNodesOn(t, Config{Addresses: g.Addrs(), Master: g.Name})
	keys := w.first.broker.keys
	freeze(t, w.first)
	w.replicate(t)
	master := g.Failover()
	master.Do("DEL", keys.presence(attic), keys.present(attic)) // Ada came there last
	master.Do("ZINCRBY", keys.nodes(), -1, w.n.roster.id)
	next := inheritFrom(t, w.first)
	if err := (takeover{next.Engine}).Ready(ctx); err == nil || !strings.Contains(err.Error(), "has not had the node's last heartbeat") {
		t.Errorf("%v", err)
	}
	next.n.Detach()
	next.Close(ctx)
	if err := (takeover{w.first}).Thaw(); err != nil {
		t.Fatal(err)
	}
	await(t, "Ada to be in the attic", func() bool {
		users, _, err := (presence{w.other.broker}).Users(ctx, "attic", 10)
		return err == nil && len(users) == 1
	})
}

// A server of a cluster dies while a node is handed over, and what it was told last may be lost. The new process
// notices, although it has not subscribed to anything there yet.
func TestTakeOverNoticesFailoverInCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	w := newTwoNodesOn(t, Config{Addresses: c.Addrs()})
	keys := w.first.broker.keys
	next := openHeir(t, w.first.cfg)
	masters := c.Masters()
	at := slices.IndexFunc(masters, func(s *redistest.Server) bool {
		return s != c.Owner(c.Slot(keys.controlChannel())) && s != c.Owner(c.Slot(keys.nodes()))
	})
	if at < 0 {
		t.Fatal("one server has everything")
	}
	await(t, "the connections", func() bool { return links(next.broker.listener) == len(masters) })
	freeze(t, w.first)
	next.inherit(t, w.first)
	masters[at].Kill()
	c.AwaitFailover(masters[at])
	await(t, "the loss to be noticed", func() bool {
		next.broker.mu.Lock()
		defer next.broker.mu.Unlock()
		return next.broker.gapped
	})
}

// links is to how many servers a listener is connected.
func links(l *listener) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.links {
		if k.heard.Load() > 0 {
			n++
		}
	}
	return n
}
