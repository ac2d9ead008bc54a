package doorbell

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

var adaBob = chat.PrivateConversation("u_ada", "u_bob")

func follow(t *testing.T, n *Node, users ...string) {
	t.Helper()
	for _, u := range users {
		if err := n.Follow(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
}

// Changes of the people who are followed come once, with doorbells and without.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		l.say("u_ada", "u_bob", n)
		follow(t, n, "u_ada", "u_bob", "u_ada")
		e.want(t) // it was appended before
		l.say("u_ada", "u_bob", n)
		l.say("u_eve", "u_ada", n)
		l.say("u_eve", "u_zoe", n)
		synctest.Wait()
		e.sort()
		e.want(t, "p:u_ada:u_bob 2", "p:u_ada:u_eve 1")
		l.say("u_ada", "u_bob", nil)
		l.say("u_bob", "u_bob", nil)
		time.Sleep(time.Second)
		synctest.Wait()
		e.sort()
		e.want(t, "p:u_ada:u_bob 3", "p:u_bob:u_bob 1")
		n.Unfollow("u_ada")
		n.Unfollow("u_bob")
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 4")
		n.Unfollow("u_ada")
		n.Unfollow("u_ada") // one too many
		l.say("u_ada", "u_bob", n)
		time.Sleep(time.Minute)
		e.want(t)
		follow(t, n, "u_ada")
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 6")
	})
}

// Once a user's inbox can be read again, earlier failures delay nothing.
func TestFollowAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		l.failAll()
		for range 6 {
			if err := n.Follow(ctx, "u_ada"); err == nil {
				t.Fatal("followed a person whose inbox cannot be read")
			}
		}
		l.repair()
		if err := n.Follow(ctx, "u_ada"); err != nil {
			t.Fatal(err)
		}
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 1")
	})
}

// An append is delivered to a user whose follow began between its hint and its end.
func TestFollowDuringAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		l.say("u_ada", "u_bob", n)
		l.hint("u_ada", "u_bob")
		follow(t, n, "u_bob")
		l.append(adaBob, 1)
		n.Ring(adaBob)
		e.want(t, "p:u_ada:u_bob 2")
	})
}

// A user comes to a node where the other one is already followed, but whose inbox was not read
// yet.
func TestFollowBesideUnreadHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		follow(t, n, "u_bob")
		l.say("u_ada", "u_bob", nil)
		follow(t, n, "u_ada")
		e.want(t, "p:u_ada:u_bob 1")
	})
}

// A subscription to a private conversation does not begin after changes that a followed user
// has yet to receive.
func TestSubscribeBesideUnreadHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		follow(t, n, "u_bob")
		l.say("u_ada", "u_bob", nil)
		subscribe(t, n, adaBob)
		l.append(adaBob, 1)
		n.Ring(adaBob)
		e.want(t, "p:u_ada:u_bob 1", "p:u_ada:u_bob 2")
	})
}

// When the user for whom a conversation was found leaves, it goes on for the other one. It ends
// with the last of them, so that it begins anew when they come back.
func TestUnfollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		follow(t, n, "u_ada")
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 1")
		l.dropHints("u_bob", 1) // he comes when it is old
		follow(t, n, "u_bob")
		n.Unfollow("u_ada")
		l.append(adaBob, 1)
		n.Ring(adaBob)
		e.want(t, "p:u_ada:u_bob 2")
		n.Unfollow("u_bob")
		l.say("u_ada", "u_bob", n)
		follow(t, n, "u_bob")
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 4")
	})
}

// A conversation is watched as long as an append may be under way, and no longer. The next
// message is found by its hint.
func TestHintsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{HintLife: 10 * time.Second})
		follow(t, n, "u_ada")
		l.hint("u_ada", "u_bob")
		time.Sleep(10 * time.Second)
		l.append(adaBob, 1) // at the last moment, and the doorbell is lost
		time.Sleep(time.Second)
		e.want(t, "p:u_ada:u_bob 1")
		time.Sleep(22 * time.Second)
		n.mu.Lock()
		followers, hinted := len(n.followers), len(n.inboxes["u_ada"].hinted)
		n.mu.Unlock()
		if followers+hinted > 0 {
			t.Errorf("%d conversations are watched, %d for a person", followers, hinted)
		}
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 2")
	})
}

// A node that could not read for longer than hints live, or whose source has lost an inbox,
// continues from there.
func TestMissingHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		follow(t, n, "u_ada")
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 1")
		l.failAll()
		l.say("u_ada", "u_bob", n)
		l.say("u_ada", "u_eve", n)
		l.say("u_ada", "u_eve", n)
		l.dropHints("u_ada", 2)
		l.repair()
		time.Sleep(time.Minute)
		synctest.Wait()
		e.sort()
		e.want(t, "p:u_ada:u_bob 2", "p:u_ada:u_eve 1", "p:u_ada:u_eve 2")
		l.say("u_ada", "u_eve", n)
		e.want(t, "p:u_ada:u_eve 3")
		l.clearInboxes()
		time.Sleep(2 * time.Second) // a probe notices
		l.say("u_ada", "u_zoe", n)
		e.want(t, "p:u_ada:u_zoe 1")
		l.say("u_ada", "u_zoe", n)
		e.want(t, "p:u_ada:u_zoe 2")
		l.clearInboxes()
		l.say("u_ada", "u_kim", n) // before a probe notices
		time.Sleep(2 * time.Second)
		e.want(t, "p:u_ada:u_kim 1")
	})
}

// A store that fails over loses a hint that a node has read, and other hints arrive before the
// node looks again: one with a lower number, by the clock of another server, and one with a
// higher number.
func TestHintLostInFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		follow(t, n, "u_ada")
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 1")
		l.leap(10)
		n.Ring(l.hint("u_ada", "u_eve")) // whose append never happens
		synctest.Wait()
		l.loseHint("u_ada")
		l.leap(5)
		l.say("u_ada", "u_zoe", nil)
		l.leap(100)
		l.say("u_ada", "u_kim", nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		e.sort()
		e.want(t, "p:u_ada:u_kim 1", "p:u_ada:u_zoe 1")
	})
}
