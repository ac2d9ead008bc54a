package doorbell

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// heir is a node that has inherited what another one was.
func heir(t *testing.T, l *ledger, s Standing) (*Node, *ear) {
	t.Helper()
	n, e := attach(t, l, Config{ProbeEvery: time.Hour})
	freeze(t, n)
	n.Inherit(s)
	return n, e
}

func freeze(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
}

// What is said while a node is frozen is heard once: by it, if it is thawed, or by the one that inherits its places, which
// reads nothing before that. A talk is heard that has begun meanwhile.
func TestFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		l.append(lobby, 2)
		subscribe(t, n, lobby, attic)
		follow(t, n, "u_ada", "u_bob")
		l.say("u_ada", "u_eve", n)
		l.append(lobby, 1)
		n.Ring(lobby)
		synctest.Wait()
		e.sort()
		e.want(t, "p:u_ada:u_eve 1", "r:lobby 3")
		for round := range 2 {
			freeze(t, n)
			n.Here("lobby", chat.PresenceEvent{})
			n.Renamed(chat.User{ID: "u_ada"})
			l.offer(lobby, n)
			l.say("u_ada", "u_eve", n)
			l.say("u_bob", "u_eve", n)
			e.want(t)
			next := n
			if round == 1 {
				s := n.Standing()
				before := l.calls("")
				next, e = heir(t, l, s)
				subscribe(t, next, lobby)
				if _, err := next.Subscribe(ctx, "r:cellar"); err != errUnknownPlace {
					t.Errorf("a place that the other one did not have: %v", err)
				}
				follow(t, next, "u_ada", "u_bob")
				if got := l.calls(""); got != before {
					t.Errorf("%d things were read", got-before)
				}
				e.want(t)
			}
			next.Thaw()
			next.Probe()
			synctest.Wait()
			e.sort()
			if round == 0 {
				e.want(t, "p:u_ada:u_eve 2", "p:u_bob:u_eve 1", "r:lobby 4")
				continue
			}
			e.want(t, "p:u_ada:u_eve 3", "p:u_bob:u_eve 2", "r:lobby 5")
			l.append(attic, 1)
			next.Ring(attic) // nobody has asked for it
			l.offer(lobby, next)
			e.want(t, "r:lobby 6")
			next.Unfollow("u_ada")
			l.say("u_ada", "u_eve", next)
			e.want(t)
		}
	})
}

// A node does not freeze while it reads what does not come, and goes on.
func TestFreezeDuringReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		subscribe(t, n, lobby)
		l.slow(3 * time.Second)
		l.append(lobby, 1)
		n.Ring(lobby)
		synctest.Wait()
		limited, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := n.Freeze(limited); err == nil {
			t.Error("it is frozen while it reads")
		}
		time.Sleep(5 * time.Second)
		e.want(t, "r:lobby 1")
	})
}
