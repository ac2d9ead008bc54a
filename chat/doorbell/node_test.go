package doorbell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

const (
	lobby = chat.Conversation("r:lobby")
	attic = chat.Conversation("r:attic")
)

var ctx = context.Background()

// attach begins a node of an ear, which ends with the test.
func attach(t *testing.T, l *ledger, cfg Config) (*Node, *ear) {
	e := &ear{}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := Attach(e, source{l}, cfg)
	t.Cleanup(n.Detach)
	return n, e
}

func subscribe(t *testing.T, n *Node, cs ...chat.Conversation) {
	t.Helper()
	for _, c := range cs {
		if _, err := n.Subscribe(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *ear) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, e.take()); diff != "" {
		t.Fatalf("heard (-want +got):\n%s", diff)
	}
}

// A doorbell causes a change to be read at once. Doubled and needless ones do no harm.
func TestRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		l.append(lobby, 2)
		n, e := attach(t, l, Config{Page: 2})
		subscribe(t, n, lobby)
		n.Ring(lobby)
		n.Ring(attic)
		e.want(t)
		l.append(lobby, 5)
		n.Ring(lobby)
		n.Ring(lobby)
		e.want(t, "r:lobby 3", "r:lobby 4", "r:lobby 5", "r:lobby 6", "r:lobby 7")
		n.Ring(lobby)
		e.want(t)
	})
}

// A doorbell that rings while the conversation is being read, or before its position is known, is
// not forgotten, and is not acted on too early.
func TestRingDuringReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		l.append(lobby, 4)
		l.slow(time.Millisecond)
		go func() {
			time.Sleep(time.Millisecond / 2)
			n.Ring(lobby)
		}()
		subscribe(t, n, lobby)
		l.slow(0)
		e.want(t)
		e.pause()
		l.append(lobby, 1)
		n.Ring(lobby)
		synctest.Wait()
		l.append(lobby, 1)
		n.Ring(lobby)
		e.goOn()
		e.want(t, "r:lobby 5", "r:lobby 6")
	})
}

// A probe that sees an older tail than what was read meanwhile finds out that nothing is lost.
func TestOldTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		subscribe(t, n, lobby)
		l.append(lobby, 2)
		n.Ring(lobby)
		e.want(t, "r:lobby 1", "r:lobby 2")
		n.mu.Lock()
		n.compare(n.followers[lobby], chat.Tail{Change: 1, Epoch: "e1"})
		n.mu.Unlock()
		e.want(t)
	})
}

// Without any doorbell, changes come with the next probe, however many batches it takes.
func TestLostDoorbells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{Batch: 3, ProbeEvery: time.Second})
		var want []string
		for i := range 10 {
			c := chat.RoomConversation(fmt.Sprint("room-", i))
			subscribe(t, n, c)
			l.append(c, 1)
			want = append(want, fmt.Sprint(c, " 1"))
		}
		time.Sleep(time.Second - 1)
		e.want(t)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		e.sort()
		e.want(t, want...)
		l.append(lobby, 1)
		subscribe(t, n, lobby)
		l.append(lobby, 1)
		n.Probe() // as after a lost connection: without waiting for the time
		e.want(t, "r:lobby 2")
	})
}

// When a conversation has another epoch, or changes are gone, the receiver is told once and gets
// the changes that follow, whether a doorbell or a probe reveals it.
func TestLost(t *testing.T) {
	for name, notice := range map[string]func(*Node){
		"by a doorbell": func(n *Node) { n.Ring(lobby) },
		"by a probe":    func(*Node) { time.Sleep(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger()
				n, e := attach(t, l, Config{})
				l.append(lobby, 5)
				subscribe(t, n, lobby)
				l.forget(lobby)
				l.append(lobby, 9) // so many that the old position exists again
				notice(n)
				e.want(t, "lost r:lobby 9 e2")
				l.append(lobby, 1)
				notice(n)
				e.want(t, "r:lobby 10")
				l.append(lobby, 3)
				l.trim(lobby, 12)
				notice(n)
				e.want(t, "lost r:lobby 13 e2")
				l.append(lobby, 1)
				notice(n)
				e.want(t, "r:lobby 14")
				l.forget(lobby)
				time.Sleep(time.Second) // it is empty, which only a probe can notice
				e.want(t, "lost r:lobby 0 e3")
				time.Sleep(time.Minute)
				e.want(t)
			})
		})
	}
}

// A conversation that cannot be read is tried again, ever more rarely, and does not delay the
// others.
func TestDamagedConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		var logged levels
		n, e := attach(t, l, Config{Readers: 1, Log: logged.logger()})
		subscribe(t, n, lobby, attic)
		l.append(lobby, 1)
		l.fail(lobby)
		n.Ring(lobby)
		for range 127 {
			time.Sleep(time.Second)
			n.Ring(lobby) // in vain
			l.append(attic, 1)
			n.Ring(attic)
		}
		synctest.Wait()
		if got := len(e.take()); got != 127 {
			t.Errorf("%d changes of the other conversation, want 127", got)
		}
		// After 1, 2, 4, 8, 16, 32, 32, and 32 more probes.
		if got := l.calls("Changes " + string(lobby)); got < 7 || got > 9 {
			t.Errorf("%d attempts in 127 s", got)
		}
		l.repair()
		time.Sleep(33 * time.Second)
		e.want(t, "r:lobby 1")
		logged.want(t, "WARN", "INFO")
		l.append(lobby, 1)
		l.fail(lobby)
		n.Ring(lobby)
		synctest.Wait()
		n.Unsubscribe(lobby)
		logged.want(t, "WARN", "INFO")
	})
}

// A conversation that could not be read many times is tried again as soon as the connection has
// been restored, or at the next probe after another one could be read again.
func TestPausesEnd(t *testing.T) {
	for name, wait := range map[string]func(l *ledger, n *Node){
		"by a probe that is asked for": func(_ *ledger, n *Node) { n.Probe() },
		"by another conversation": func(l *ledger, n *Node) {
			n.Ring(attic) // which has just failed, and is due at the next probe
			time.Sleep(3 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger()
				n, e := attach(t, l, Config{})
				subscribe(t, n, lobby, attic)
				l.append(lobby, 1)
				l.fail(lobby)
				n.Ring(lobby)
				time.Sleep(32 * time.Second) // after 1, 2, 4, 8 and 16 s; and then again after 32
				l.append(attic, 1)
				l.fail(attic)
				n.Ring(attic)
				synctest.Wait()
				l.repair()
				wait(l, n)
				synctest.Wait()
				e.sort()
				e.want(t, "r:attic 1", "r:lobby 1")
			})
		})
	}
}

// levels records only the levels of log lines.
type levels struct{ bytes.Buffer }

func (l *levels) logger() *slog.Logger {
	only := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey {
			return a
		}
		return slog.Attr{}
	}
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: only}))
}

func (l *levels) want(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, strings.Fields(strings.ReplaceAll(l.String(), "level=", ""))); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
	l.Reset()
}

// While the source answers nothing, only the probe asks, ever more rarely. Then everything
// comes.
func TestSourceAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		var want []string
		for i := range 9 {
			c := chat.RoomConversation(fmt.Sprint("room-", i))
			subscribe(t, n, c)
			want = append(want, fmt.Sprint(c, " 1"))
		}
		l.failAll()
		before := l.calls("")
		time.Sleep(127 * time.Second)
		if got := l.calls("") - before; got > 9 { // after 1, 2, 4 … s
			t.Errorf("%d calls in 127 s, when none succeeds", got)
		}
		for i := range 9 {
			l.append(chat.RoomConversation(fmt.Sprint("room-", i)), 1)
		}
		l.repair()
		time.Sleep(33 * time.Second)
		synctest.Wait()
		e.sort()
		e.want(t, want...)
	})
}

// At most Readers goroutines read, and a conversation with much to read does not delay another
// one.
func TestBoundedReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		l.slow(time.Millisecond)
		n, e := attach(t, l, Config{Readers: 3, Page: 1, ProbeEvery: time.Hour})
		var cs []chat.Conversation
		for i := range 20 {
			cs = append(cs, chat.RoomConversation(fmt.Sprint("room-", i)))
		}
		subscribe(t, n, append(cs, lobby)...)
		for _, c := range cs {
			l.append(c, 50)
			n.Ring(c)
		}
		time.Sleep(10 * time.Millisecond)
		l.append(lobby, 1)
		n.Ring(lobby)
		e.take()
		time.Sleep(10 * time.Millisecond) // each of the others has had another page read
		heard := false
		for _, text := range e.take() {
			heard = heard || text == "r:lobby 1"
		}
		if !heard {
			t.Error("one of 20 busy conversations has not had its turn")
		}
		time.Sleep(time.Second)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.most != 3 {
			t.Errorf("%d readers at a time, want 3", l.most)
		}
	})
}

// Unsubscribe does not block, not even while the receiver gets a change; and a new subscription
// begins when the old one is over.
func TestUnsubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		subscribe(t, n, lobby)
		e.pause()
		l.append(lobby, 3)
		n.Ring(lobby)
		synctest.Wait() // now it gets the first
		n.Unsubscribe(lobby)
		l.append(lobby, 1)
		again := make(chan chat.Tail)
		go func() {
			tail, err := n.Subscribe(ctx, lobby)
			if err != nil {
				t.Error(err)
			}
			again <- tail
		}()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := n.Subscribe(short, lobby); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe, while the old subscription is not over: %v", err)
		}
		e.goOn()
		if tail := <-again; tail.Change != 4 {
			t.Errorf("subscribed again at %d", tail.Change)
		}
		l.append(lobby, 1)
		n.Ring(lobby)
		e.want(t, "r:lobby 1", "r:lobby 5")
	})
}

// After Detach returns, the receiver is not called any more, whatever was under way.
func TestDetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		subscribe(t, n, lobby)
		e.pause()
		l.append(lobby, 3)
		n.Ring(lobby)
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
		e.want(t, "r:lobby 1")
		n.Ring(lobby)
		n.Here("lobby", chat.PresenceEvent{})
		time.Sleep(time.Minute)
		e.want(t)
	})
}

// Every call returns when its context ends. A Subscribe that fails leaves nothing.
func TestContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		l.slow(time.Hour)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := n.Subscribe(short, lobby)
		if e := n.Follow(short, "u_ada"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("Subscribe: %v, Follow: %v", err, e)
		}
		l.slow(0)
		l.append(lobby, 1)
		n.Ring(lobby)
		n.Here("lobby", chat.PresenceEvent{})
		time.Sleep(time.Minute) // Follow succeeds by itself
		e.want(t)
		l.say("u_ada", "u_bob", n)
		e.want(t, "p:u_ada:u_bob 1")
	})
}

// The receiver's next position is known while it gets the change.
func TestPositionWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{ProbeEvery: time.Hour})
		subscribe(t, n, lobby)
		first := n.Position(lobby)
		e.pause()
		l.append(lobby, 1)
		n.Ring(lobby)
		synctest.Wait()
		if at := n.Position(lobby); first.Epoch == "" || at.Epoch != first.Epoch || at.Change != 1 {
			t.Errorf("at %+v after %+v", at, first)
		}
		e.goOn()
		e.want(t, "r:lobby 1")
	})
}

// No receiver is told of another epoch before the source says that it is safe.
func TestEpochIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		n, e := attach(t, l, Config{})
		subscribe(t, n, lobby)
		l.mu.Lock()
		l.unsure = true
		l.mu.Unlock()
		l.forget(lobby)
		n.Ring(lobby)
		time.Sleep(10 * time.Second)
		e.want(t)
		l.mu.Lock()
		l.unsure = false
		l.mu.Unlock()
		time.Sleep(time.Minute)
		e.want(t, "lost r:lobby 0 "+n.Position(lobby).Epoch)
	})
}
