package doorbell

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// A change that comes with its doorbell is delivered at once, and nothing is read for it. A
// doubled one is not delivered again; before one that is too early, the missing ones are read.
func TestOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		subscribe(t, n, lobby)
		for range 3 {
			l.offer(lobby, n)
			l.offerAgain(lobby, n)
		}
		e.want(t, "r:lobby 1", "r:lobby 2", "r:lobby 3")
		if reads := l.calls("Changes"); reads > 0 {
			t.Errorf("%d reads", reads)
		}
		l.append(lobby, 1)
		l.offer(lobby, n)
		l.offer(attic, n)
		e.want(t, "r:lobby 4", "r:lobby 5")
		l.offer(lobby, n)
		e.want(t, "r:lobby 6")
		if reads := l.calls("Changes"); reads != 1 {
			t.Errorf("%d reads, want 1", reads)
		}
	})
}

// A change is not delivered while another goroutine delivers one: it is read afterwards.
func TestOfferDuringDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		subscribe(t, n, lobby)
		e.pause()
		go l.offer(lobby, n)
		synctest.Wait()
		l.offer(lobby, n)
		n.Unsubscribe(lobby)
		over := make(chan error)
		go func() {
			_, err := n.Subscribe(ctx, lobby)
			over <- err
		}()
		synctest.Wait()
		l.append(lobby, 1)
		e.goOn()
		if err := <-over; err != nil {
			t.Error(err)
		}
		l.offer(lobby, n)
		e.want(t, "r:lobby 1", "r:lobby 4")
	})
}

// Detach waits for running offers, and nothing is delivered after it.
func TestOfferDetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		subscribe(t, n, lobby)
		e.pause()
		go l.offer(lobby, n)
		synctest.Wait()
		over := make(chan struct{})
		go func() {
			n.Detach()
			close(over)
		}()
		synctest.Wait()
		select {
		case <-over:
			t.Error("Detach returned while the receiver was being called")
		default:
		}
		e.goOn()
		<-over
		l.offer(lobby, n)
		e.want(t, "r:lobby 1")
	})
}

// X05: a store has lost its last changes. However many of their numbers have been reused since,
// and however the node finds out, the receiver is told once, and the conversation is in a new
// epoch.
func TestX05Failover(t *testing.T) {
	for _, test := range []struct {
		name  string
		since uint64 // changes after the loss
		tell  func(*ledger, *Node)
	}{
		{"shorter, a probe", 0, func(*ledger, *Node) {}},
		{"shorter, a doorbell and a probe", 1, func(l *ledger, n *Node) { l.offerAgain(lobby, n) }},
		{"as long, a probe", 2, func(*ledger, *Node) {}},
		{"longer, a probe", 5, func(*ledger, *Node) {}},
		{"longer by one, an offer", 3, func(l *ledger, n *Node) { l.offerAgain(lobby, n) }},
		{"longer, a doorbell", 5, func(_ *ledger, n *Node) { n.Ring(lobby) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger()
				n, e := attach(t, l, Config{})
				l.append(lobby, 2)
				subscribe(t, n, lobby)
				for range 3 {
					l.offer(lobby, n)
				}
				e.want(t, "r:lobby 3", "r:lobby 4", "r:lobby 5")
				l.failOver(lobby, 3)
				l.append(lobby, test.since)
				test.tell(l, n)
				time.Sleep(3 * time.Second)
				e.want(t, fmt.Sprint("lost r:lobby ", 3+test.since, " e2"))
				l.offer(lobby, n)
				e.want(t, fmt.Sprint("r:lobby ", 4+test.since))
			})
		})
	}
}

// A history that is replaced by a shorter one is noticed by the first doorbell, and not only by
// the next probe.
func TestReplacedByShorter(t *testing.T) {
	for name, tell := range map[string]func(*ledger, *Node){
		"a doorbell": func(_ *ledger, n *Node) { n.Ring(lobby) },
		"an offer":   func(l *ledger, n *Node) { l.offerAgain(lobby, n) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger()
				n, e := attach(t, l, Config{})
				l.append(lobby, 5)
				subscribe(t, n, lobby)
				l.forget(lobby)
				l.append(lobby, 2)
				tell(l, n)
				e.want(t, "lost r:lobby 2 e2")
			})
		})
	}
}

// Old changes that were dropped are no reason for a new epoch.
func TestTrimmedKeepsEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		l.append(lobby, 1)
		subscribe(t, n, lobby)
		l.append(lobby, 8)
		l.trim(lobby, 5)
		n.Ring(lobby)
		e.want(t, "lost r:lobby 9 e1")
	})
}

// A damaged change has no tag. The changes after it are delivered as usual.
func TestDamagedHasNoTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		subscribe(t, n, lobby)
		l.append(lobby, 1)
		n.Offer(lobby, &chat.Change{Number: 1, Epoch: "e1", Damaged: true}, 0)
		time.Sleep(3 * time.Second)
		l.offer(lobby, n)
		e.want(t, "r:lobby 1", "r:lobby 2")
	})
}
