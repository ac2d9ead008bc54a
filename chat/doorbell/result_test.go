package doorbell

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// result tells the result of the last change of a conversation.
func (l *ledger) result(c chat.Conversation, n *Node, e *ear) bool {
	l.mu.Lock()
	at := l.book(c).tail()
	l.mu.Unlock()
	return Result([]*Node{n}, c, at, func() { e.hear("result " + at.Epoch) })
}

// After a result of a later epoch the receiver gets nothing of the earlier one, by any path: it is
// told of the new epoch first.
func TestResultOfALaterEpoch(t *testing.T) {
	for name, comes := range map[string]func(*ledger, *Node, *chat.Change){
		"with a doorbell":  func(_ *ledger, n *Node, ch *chat.Change) { n.Offer(lobby, ch, ch.Tag-1) },
		"while it is read": func(_ *ledger, n *Node, _ *chat.Change) { n.Ring(lobby) },
		"not at all":       func(*ledger, *Node, *chat.Change) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger()
				n, e := attach(t, l, Config{ProbeEvery: time.Hour})
				l.append(lobby, 4)
				subscribe(t, n, lobby)
				old := chat.Change{Number: 5, Seq: 5, Tag: 5, Epoch: "e1"}
				l.forget(lobby)
				l.append(lobby, 1)
				l.slow(time.Millisecond) // the change that the result has rung for is not read yet
				if !l.result(lobby, n, e) {
					t.Error("the result is not told")
				}
				if at := n.Position(lobby); at.Epoch != "e2" || at.Change != 1 {
					t.Errorf("at %+v", at)
				}
				comes(l, n, &old)
				time.Sleep(time.Minute)
				e.want(t, "result e2", "lost r:lobby 1 e2")
				l.offer(lobby, n)
				e.want(t, "r:lobby 2")
				if !l.result(lobby, n, e) {
					t.Error("a result of the same epoch is not told")
				}
				e.want(t, "result e2")
			})
		})
	}
}

// A page that was read before the result is not delivered after it.
func TestResultWhileReading(t *testing.T) {
	l := newLedger()
	n, e := attach(t, l, Config{ProbeEvery: time.Hour})
	subscribe(t, n, lobby)
	l.append(lobby, 100)
	e.pause()
	n.Ring(lobby)
	for len(e.so()) == 0 { // it gets the first of many that have been read
		time.Sleep(time.Millisecond)
	}
	l.forget(lobby)
	l.append(lobby, 1)
	told := make(chan bool)
	go func() { told <- l.result(lobby, n, e) }()
	e.goOn()
	if !<-told {
		t.Error("the result is not told")
	}
	for heard := e.so(); heard[len(heard)-1] != "lost r:lobby 1 e2"; heard = e.so() {
		if heard[len(heard)-1] != "result e2" && slices.Contains(heard, "result e2") {
			t.Fatalf("heard %q", heard)
		}
		time.Sleep(time.Millisecond)
	}
}

// If the store loses the epoch of a result, it begins a later one.
func TestResultIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		l.append(lobby, 3)
		subscribe(t, n, lobby)
		l.forget(lobby)
		l.slow(time.Millisecond)
		l.result(lobby, n, e)
		l.mu.Lock()
		l.book(lobby).epoch, l.book(lobby).last = 1, 3
		l.mu.Unlock()
		time.Sleep(time.Minute)
		e.want(t, "result e2", "lost r:lobby 3 e3")
	})
}

// A result of an earlier epoch than the receiver was told of is not reported, not even if the
// receiver is being told at that moment.
func TestResultOfAnEarlierEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		l.append(lobby, 1)
		subscribe(t, n, lobby)
		old := chat.Tail{Seq: 2, Change: 2, Tag: 2, Epoch: "e1"}
		l.forget(lobby)
		e.pause()
		n.Ring(lobby)
		synctest.Wait() // it is being told
		over := make(chan bool)
		go func() { over <- n.Result(lobby, old, func() { t.Error("the result is told") }) }()
		e.goOn()
		if <-over {
			t.Error("the result counts")
		}
		e.want(t, "lost r:lobby 0 e2")
		if !n.Result(attic, old, func() { e.hear("result") }) { // this is ignored
			t.Error("the result of another conversation is not told")
		}
		e.want(t, "result")
	})
}

// A result that is told before a subscription has its position counts there, too.
func TestResultBeforeThePosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		l.append(lobby, 2)
		f, err := n.follower(ctx, lobby)
		if err != nil {
			t.Fatal(err)
		}
		f.subscribed = true
		old := l.book(lobby).tail()
		n.mu.Unlock()
		l.forget(lobby)
		l.result(lobby, n, e)
		n.mu.Lock()
		n.place(f, old)
		n.mu.Unlock()
		e.want(t, "result e2", "lost r:lobby 0 e2")
	})
}
