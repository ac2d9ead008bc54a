package chat_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// hangingLog never stores what is said in one conversation.
type hangingLog struct {
	chat.Log
	stuck chat.Conversation
}

func (l hangingLog) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	for i := range entries {
		if entries[i].Conversation == l.stuck {
			<-ctx.Done()
			done(i, chat.Result{Err: fmt.Errorf("%w: %w", chat.ErrOutcomeUnknown, ctx.Err())})
			continue
		}
		l.Log.Append(ctx, entries[i:i+1], func(_ int, r chat.Result) { done(i, r) })
	}
}

// R06: where storing hangs for one conversation, those who write there are told within the
// time limit, and of all other conversations only those of the same sequencer wait.
func TestAppendHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		parts := newMemory(t, c)
		parts.Log = hangingLog{parts.Log, "r:stuck"}
		h := newHouseAt(t, c, func(cfg *chat.Config) {
			cfg.Engine, cfg.Limits, cfg.Sequencers = parts, chat.Limits{}, 8
		})
		began := time.Now()
		ada := h.enter("ada", `"ack"`)
		ada.say(`{"type":"group","receiver_id":"stuck","content":"x","ref":"s"}`)
		synctest.Wait()
		prompt := 0
		for i := range 40 {
			p := h.enter("bob", `"ack"`)
			p.say(fmt.Sprintf(`{"type":"group","receiver_id":"room-%d","content":"x"}`, i))
			synctest.Wait()
			if len(p.leftover()) == 2 { // the ack and the message
				prompt++
			}
		}
		if time.Since(began) > 0 {
			t.Errorf("%v have passed", time.Since(began))
		}
		if prompt < 20 { // 35 on average
			t.Errorf("%d of 40 other rooms are not delayed", prompt)
		}
		eve := h.enter("eve", "") // and log-ins and queries are not
		eve.say(`{"type":"history","receiver_id":"stuck"}`)
		if m := eve.hear(); !strings.Contains(m, `"messages":[]`) {
			t.Errorf("history: %s", m)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if m := ada.hear(); reasonOf(m) != "outcome_unknown" || !strings.Contains(m, `"ref":"s"`) {
			t.Errorf("ada heard %s", m)
		}
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

// stuckBroker answers no subscription to some rooms before its context ends, as often as it
// says.
type stuckBroker struct {
	chat.Broker
	mu    sync.Mutex
	stuck map[chat.Conversation]int // Guarded by mu.
}

func (b *stuckBroker) Attach(r chat.Receiver) chat.Node {
	return &stuckNode{b.Broker.Attach(deafToMembers{r}), b}
}

// deafToMembers hears nothing of memberships: the connections of one user do not follow each
// other into a room.
type deafToMembers struct{ chat.Receiver }

func (deafToMembers) Member(string, string, bool) {}

type stuckNode struct {
	chat.Node
	b *stuckBroker
}

func (n *stuckNode) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	n.b.mu.Lock()
	stuck := n.b.stuck[c] > 0
	if stuck {
		n.b.stuck[c]--
	}
	n.b.mu.Unlock()
	if stuck {
		<-ctx.Done()
		return chat.Tail{}, ctx.Err()
	}
	return n.Node.Subscribe(ctx, c)
}

// A room that cannot be subscribed to holds up nobody who wants to be in another one, however
// many wait for it. They are told in their own time, and the next of them tries again.
func TestSubscribeHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		parts := newMemory(t, c)
		b := &stuckBroker{Broker: parts.Broker, stuck: map[chat.Conversation]int{"r:stuck": 1}}
		parts.Broker = b
		h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits = parts, chat.Limits{} })
		var ps []*peer
		for range 20 {
			ps = append(ps, h.enter("bob", ""))
		}
		for i, p := range ps {
			if i == 10 {
				time.Sleep(time.Second)
			}
			p.say(`{"type":"join","receiver_id":"stuck","ref":"s"}`)
		}
		ada := h.enter("ada", "")
		ada.say(`{"type":"join","receiver_id":"fine"}`)
		ada.say(`{"type":"group","receiver_id":"other","content":"x"}`)
		synctest.Wait()
		if got := ada.leftover(); len(got) != 2 {
			t.Errorf("ada heard %q", got)
		}
		ps[19].conn.Closed()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		for i, p := range ps[:19] {
			got := p.leftover()
			if want := map[bool]string{true: `"reason":"store_unavailable"`, false: `"type":"ack"`}[i < 10]; len(got) != 1 || !strings.Contains(got[0], want) {
				t.Errorf("%d heard %q, want %s", i, got, want)
			}
		}
		h.settle()
		if n := h.hub.Stats().Rooms; n != 3 {
			t.Errorf("%d rooms are subscribed to", n)
		}
		ps[0].say(`{"type":"join","receiver_id":"stuck","ref":"s"}`)
		if m := ps[0].hear(); typeOf(t, m) != "ack" {
			t.Errorf("later: %s", m)
		}
	})
}

// silentLog gives no result for messages that say so.
type silentLog struct{ chat.Log }

func (l silentLog) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	for i := range entries {
		if entries[i].Message.Content != "silence" {
			l.Log.Append(ctx, entries[i:i+1], func(_ int, r chat.Result) { done(i, r) })
		}
	}
}

// A result that does not come is one that nobody knows, and holds up nothing.
func TestNoResult(t *testing.T) {
	h, _ := newTappedHouse(t, func(cfg *chat.Config) { cfg.Engine.Log = silentLog{cfg.Engine.Log} })
	ada := h.enter("ada", `"ack"`)
	ada.open("lobby")
	ada.say(`{"type":"group","receiver_id":"lobby","content":"silence"}`)
	if m := ada.hear(); reasonOf(m) != "outcome_unknown" {
		t.Errorf("heard %s", m)
	}
	ada.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	for _, want := range []string{"ack", "group"} {
		if m := ada.hear(); typeOf(t, m) != want {
			t.Errorf("heard %s, want %s", m, want)
		}
	}
}

// slowLog takes its time for every batch.
type slowLog struct {
	chat.Log
	first, others time.Duration
	once          sync.Once
}

func (l *slowLog) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	took := l.others
	l.once.Do(func() { took = l.first })
	select {
	case <-time.After(took):
		l.Log.Append(context.WithoutCancel(ctx), entries, done)
	case <-ctx.Done():
		for i := range entries {
			done(i, chat.Result{Err: fmt.Errorf("%w: %w", chat.ErrOutcomeUnknown, ctx.Err())})
		}
	}
}

// A message that has waited for long does not take the time of those that were said since.
func TestOldMessagesGoAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		parts := newMemory(t, c)
		parts.Log = &slowLog{Log: parts.Log, first: 4900 * time.Millisecond, others: 200 * time.Millisecond}
		h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits, cfg.Sequencers = parts, chat.Limits{}, 1 })
		var ps []*peer
		for range 4 {
			ps = append(ps, h.enter("ada", `"ack"`))
		}
		for i, wait := range []time.Duration{0, time.Millisecond, 4 * time.Second, 0} {
			time.Sleep(wait)
			ps[i].say(fmt.Sprintf(`{"type":"message","receiver_id":"u_ada","content":"x","ref":"%d"}`, i))
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for i, want := range []string{"ack", "outcome_unknown", "ack", "ack"} {
			said := ""
			for _, m := range ps[i].leftover() {
				if strings.Contains(m, fmt.Sprintf(`"ref":"%d"`, i)) {
					said = cmp.Or(reasonOf(m), typeOf(t, m))
				}
			}
			if said != want {
				t.Errorf("message %d was answered by %s, want %s", i, said, want)
			}
		}
	})
}

// What waits in a queue for longer than the time of an operation is refused, each within its
// own time: messages behind an append that hangs, and queries behind others.
func TestTimeInQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		parts := newMemory(t, c)
		parts.Log = hangingLog{parts.Log, "r:stuck"}
		p := &heldPresence{parts.Presence, make(chan struct{}, 10), make(chan struct{})}
		parts.Presence = p
		h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits, cfg.Sequencers = parts, chat.Limits{}, 1 })
		ada, bob, eve := h.enter("ada", ""), h.enter("bob", ""), h.enter("eve", "")
		for _, p := range []*peer{ada, bob} {
			p.say(`{"type":"join","receiver_id":"lobby"}`)
			p.hear()
		}
		synctest.Wait()
		ada.say(`{"type":"group","receiver_id":"stuck","content":"x","ref":"a"}`)
		bob.say(`{"type":"presence","receiver_id":"lobby","ref":"b"}`)
		time.Sleep(2 * time.Second)
		bob2 := h.enter("bob", "")
		bob2.say(`{"type":"group","receiver_id":"stuck","content":"x","ref":"c"}`)
		eve.say(`{"type":"presence","receiver_id":"lobby","ref":"d"}`)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if m := ada.hear(); reasonOf(m) != "outcome_unknown" {
			t.Errorf("ada heard %s", m)
		}
		time.Sleep(2*time.Second - time.Millisecond)
		synctest.Wait()
		if m := bob2.leftover(); m != nil {
			t.Errorf("bob heard %q", m)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if m := bob2.hear(); reasonOf(m) != "outcome_unknown" {
			t.Errorf("bob heard %s", m)
		}
		p.goOn <- struct{}{}
		bob.hear()
		if m := eve.hear(); reasonOf(m) != "overloaded" {
			t.Errorf("eve heard %s", m)
		}
		close(p.goOn)
	})
}
