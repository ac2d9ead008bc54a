package chat_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// tappedBroker lets a test speak to the hub as its engine does, and hold up subscriptions.
type tappedBroker struct {
	chat.Broker
	hub         chat.Receiver
	subscribing chan chat.Conversation // sent to before a subscription goes on
	goOn        chan struct{}
}

func (b *tappedBroker) Attach(r chat.Receiver) chat.Node {
	b.hub = r
	return &tappedNode{b.Broker.Attach(r), b}
}

type tappedNode struct {
	chat.Node
	b *tappedBroker
}

func (n *tappedNode) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	tail, err := n.Node.Subscribe(ctx, c)
	if n.b.subscribing != nil {
		n.b.subscribing <- c
		<-n.b.goOn
	}
	return tail, err
}

// newTappedHouse is a house on an engine in memory, whose broker the test can speak for.
func newTappedHouse(t *testing.T, change func(*chat.Config)) (*house, *tappedBroker) {
	c := newClock()
	parts := newMemory(t, c)
	b := &tappedBroker{Broker: parts.Broker}
	parts.Broker = b
	return newHouseAt(t, c, func(cfg *chat.Config) {
		cfg.Engine, cfg.Limits = parts, chat.Limits{}
		if change != nil {
			change(cfg)
		}
	}), b
}

// said is a change that another node's engine has stored.
func said(epoch string, seq uint64) *chat.Change {
	return &chat.Change{Number: seq, Seq: seq, Epoch: epoch, ID: fmt.Sprint("id-", seq),
		Message: &chat.Message{Sender: "u_bob", SenderName: "Bob", Timestamp: "1", Content: fmt.Sprint("number ", seq), Metadata: []byte("{}")}}
}

func epochOf(m string) string {
	_, after, _ := strings.Cut(m, `"epoch":"`)
	epoch, _, _ := strings.Cut(after, `"`)
	return epoch
}

// A room whose history is lost goes on from where the engine says, and its members are told,
// once each time.
func TestLost(t *testing.T) {
	h, b := newTappedHouse(t, nil)
	ada := h.enter("ada", "")
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	first := epochOf(ada.hear())
	b.hub.Deliver("r:lobby", said(first, 1))
	b.hub.Deliver("r:lobby", said("stray", 2))
	b.hub.Lost("r:lobby", chat.Tail{Epoch: first}) // nothing is lost by that
	b.hub.Lost("r:lobby", chat.Tail{Seq: 7, Change: 7, Epoch: "second"})
	b.hub.Deliver("r:lobby", said("second", 7)) // not after it
	b.hub.Deliver("r:lobby", said("second", 8))
	b.hub.Lost("r:lobby", chat.Tail{Epoch: "third"})
	b.hub.Deliver("r:lobby", said("third", 1))
	var heard []string
	for range 5 {
		m := ada.hear()
		p := placeOf(t, m)
		heard = append(heard, fmt.Sprintf("%s %s %d", p.Type, epochOf(m), p.Seq))
	}
	want := []string{"group " + first + " 1", "system second 7", "group second 8", "system third 0", "group third 1"}
	if diff := cmp.Diff(want, heard); diff != "" || ada.leftover() != nil {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.hub.Lost("r:nowhere", chat.Tail{Epoch: "x"})
	b.hub.Lost("u_ada,u_bob", chat.Tail{Epoch: "x"})
}

// What is lost while a room is being subscribed to is lost: the position that was read before
// is not one of the new history.
func TestLostWhileSubscribing(t *testing.T) {
	h, b := newTappedHouse(t, nil)
	b.subscribing, b.goOn = make(chan chat.Conversation), make(chan struct{})
	ada := h.enter("ada", "")
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	<-b.subscribing
	b.hub.Deliver("r:lobby", said("old", 1))
	b.hub.Lost("r:lobby", chat.Tail{Seq: 4, Change: 4, Epoch: "new"})
	b.hub.Deliver("r:lobby", said("new", 5))
	close(b.goOn)
	if m := ada.hear(); placeOf(t, m).Seq != 5 || epochOf(m) != "new" {
		t.Errorf("joined: %s", m)
	}
	b.hub.Deliver("r:lobby", said("new", 5))
	b.hub.Deliver("r:lobby", said("new", 6))
	if p := placeOf(t, ada.hear()); p.Seq != 6 {
		t.Errorf("heard %+v", p)
	}
}

// Both people of a private conversation whose history is another one are told, each by the other's
// id, on every connection. Nobody else is.
func TestLostPrivate(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	b := &tappedBroker{Broker: parts.Broker}
	parts.Broker = b
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
	ada, bob, eve := h.enter("ada", ""), h.enter("bob", ""), h.enter("eve", "")
	b.hub.Lost(chat.PrivateConversation("u_ada", "u_bob"), chat.Tail{Epoch: "new", Seq: 3, Change: 3})
	h.settle()
	for who, other := range map[*peer]string{ada: "u_bob", bob: "u_ada"} {
		got := who.leftover()
		if len(got) != 1 || !strings.Contains(got[0], `"event":"reload"`) || !strings.Contains(got[0], `"receiver_id":"`+other+`"`) ||
			!strings.Contains(got[0], `"epoch":"new","seq":3`) {
			t.Errorf("told of %s: %q", other, got)
		}
	}
	if got := eve.leftover(); got != nil {
		t.Errorf("a third person hears %q", got)
	}
}

// A change of a conversation in which this node is appending waits for the results. One for
// which a message only waits in the queue does not.
func TestHeldForResults(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	b := &tappedBroker{Broker: parts.Broker}
	log := &faultyLog{Log: parts.Log, held: make(chan struct{}, 10)}
	parts.Broker, parts.Log = b, log
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits, cfg.Sequencers = parts, chat.Limits{}, 1 })
	ada := h.enter("ada", `"ack"`)
	ada.open("busy")
	ada.open("quiet")
	release := log.hold()
	ada.say(`{"type":"group","receiver_id":"busy","content":"mine"}`)
	<-log.held
	ada.say(`{"type":"group","receiver_id":"quiet","content":"behind it"}`)
	tail := h.tail("r:busy")
	b.hub.Deliver("r:busy", said(tail.Epoch, 2)) // it may be the one that is being appended
	b.hub.Deliver("r:quiet", said(tail.Epoch, 2))
	if m := placeOf(t, ada.hear()); m.Receiver != "quiet" || m.Seq != 2 {
		t.Errorf("heard %+v", m)
	}
	if more := ada.leftover(); more != nil {
		t.Errorf("heard %q before the ack", more)
	}
	release()
	if m := placeOf(t, ada.hear()); m.Type != "ack" || m.Seq != 2 {
		t.Errorf("heard %+v", m)
	}
	if m := placeOf(t, ada.hear()); m.Type != "group" || m.Seq != 2 {
		t.Errorf("heard %+v", m)
	}
	// A loss ends what is held.
	h.settle()
	ada.leftover()
	release = log.hold()
	ada.say(`{"type":"group","receiver_id":"busy","content":"mine"}`)
	<-log.held
	b.hub.Deliver("r:busy", said(tail.Epoch, 4))
	b.hub.Lost("r:busy", chat.Tail{Epoch: "new"})
	if m := ada.hear(); !strings.Contains(m, `"event":"reload"`) {
		t.Errorf("heard %s", m)
	}
	b.hub.Deliver("r:busy", said("new", 1))
	release()
	h.settle()
	var last place
	for _, m := range ada.leftover() {
		if last = placeOf(t, m); last.Type == "group" && epochOf(m) == tail.Epoch && last.Seq == 4 {
			t.Errorf("heard %s after the loss", m)
		}
	}
}

// renewedLog says that everything is in another epoch.
type renewedLog struct {
	chat.Log
	epoch string
}

func (l renewedLog) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	l.Log.Append(ctx, entries, func(i int, r chat.Result) {
		r.Change.Epoch = l.epoch
		done(i, r)
	})
}

// What was held for a result of a later epoch comes before it: after it nobody must hear anything
// of an earlier one.
func TestHeldForResultsOfAnotherEpoch(t *testing.T) {
	var log *faultyLog
	h, b := newTappedHouse(t, func(cfg *chat.Config) {
		log = &faultyLog{Log: renewedLog{cfg.Engine.Log, "second"}, held: make(chan struct{}, 10)}
		cfg.Engine.Log, cfg.Sequencers = log, 1
	})
	ada := h.enter("ada", `"ack"`)
	ada.say(`{"type":"join","receiver_id":"busy"}`)
	first := epochOf(ada.hear())
	release := log.hold()
	ada.say(`{"type":"group","receiver_id":"busy","content":"mine"}`)
	<-log.held
	b.hub.Deliver("r:busy", said(first, 1))
	b.hub.Deliver("r:busy", said(first, 2))
	release()
	var heard []string
	for range 3 {
		m := ada.hear()
		heard = append(heard, fmt.Sprintf("%s %s %d", placeOf(t, m).Type, epochOf(m), placeOf(t, m).Seq))
	}
	if diff := cmp.Diff([]string{"group " + first + " 1", "group " + first + " 2", "ack second 1"}, heard); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// heldPresence holds up the question who is in a room.
type heldPresence struct {
	chat.Presence
	asked chan struct{}
	goOn  chan struct{}
}

func (p *heldPresence) Users(ctx context.Context, room string, limit int) ([]chat.User, bool, error) {
	users, more, err := p.Presence.Users(ctx, room, limit)
	p.asked <- struct{}{}
	<-p.goOn
	return users, more, err
}

// What a watcher is told while its question is being answered comes again after the answer,
// which may be older: so what came last is true.
func TestPresenceEventBeforeTheAnswer(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	p := &heldPresence{parts.Presence, make(chan struct{}), make(chan struct{})}
	parts.Presence = p
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits = parts, chat.Limits{} })
	ada, bob := h.enter("ada", `"presence"`), h.enter("bob", "")
	ada.say(`{"type":"join","receiver_id":"lobby"}`)
	ada.hear()
	ada.hear() // that she joined
	ada.rest()
	ada.say(`{"type":"presence","receiver_id":"lobby"}`)
	<-p.asked
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	bob.hear()
	joined := ada.hear()
	p.goOn <- struct{}{}
	if m := ada.hear(); typeOf(t, m) != "presence" || strings.Contains(m, "u_bob") {
		t.Errorf("the answer is %s", m)
	}
	if m := ada.hear(); m != joined || !strings.Contains(m, "Bob joined") {
		t.Errorf("after the answer came %s", m)
	}
	// For somebody who does not watch, an answer is an answer.
	bob.say(`{"type":"presence","receiver_id":"lobby"}`)
	<-p.asked
	eve := h.enter("eve", "")
	eve.say(`{"type":"join","receiver_id":"lobby"}`)
	eve.hear()
	p.goOn <- struct{}{}
	if m := bob.hear(); typeOf(t, m) != "presence" || bob.leftover() != nil {
		t.Errorf("bob heard %s", m)
	}
}

// A refusal of a room too many does not overtake the answers to what was said before.
func TestNewRoomRefusedInOrder(t *testing.T) {
	h, store := newFaultyHouse(t, func(cfg *chat.Config) { cfg.Limits.UserRoomsPerHour = 1 })
	ada := h.enter("ada", `"ack"`)
	ada.open("first")
	ada.say(`{"type":"join","receiver_id":"second"}`)
	ada.hear()
	ada.rest()
	release := store.hold()
	ada.say(`{"type":"group","receiver_id":"first","content":"x","ref":"1"}`)
	<-store.held
	ada.say(`{"type":"group","receiver_id":"second","content":"x","ref":"2"}`)
	if m := ada.leftover(); m != nil {
		t.Errorf("heard %q first", m)
	}
	release()
	for _, want := range []string{`"type":"ack"`, `"type":"group"`, `"reason":"too_many_new_rooms"`} {
		if m := ada.hear(); !strings.Contains(m, want) {
			t.Errorf("heard %s, want %s", m, want)
		}
	}
}

// steppedLog gives the results of a batch one by one, as the test says.
type steppedLog struct {
	chat.Log
	begun chan struct{}
	step  chan func(done func(int, chat.Result)) // nil: that was all
}

func (l *steppedLog) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	if l.step == nil {
		l.Log.Append(ctx, entries, done)
		return
	}
	l.begun <- struct{}{}
	for f := range l.step {
		if f == nil {
			return
		}
		f(done)
	}
}

// A result of the history before a loss says nothing of the changes after it: those wait for
// their own results.
func TestHeldOverALoss(t *testing.T) {
	log := &steppedLog{}
	h, b := newTappedHouse(t, func(cfg *chat.Config) {
		log.Log, cfg.Engine.Log, cfg.Sequencers = cfg.Engine.Log, log, 1
	})
	ada := h.enter("ada", `"ack"`)
	ada.open("lobby")
	epoch := h.tail("r:lobby").Epoch
	log.begun, log.step = make(chan struct{}), make(chan func(func(int, chat.Result)))
	ada.say(`{"type":"group","receiver_id":"lobby","content":"lost"}`)
	<-log.begun
	ada.say(`{"type":"group","receiver_id":"lobby","content":"old"}`)
	ada.say(`{"type":"group","receiver_id":"lobby","content":"new"}`)
	log.step <- nil // the first is never answered
	<-log.begun
	heard := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if m := ada.hear(); !strings.Contains(m, w) {
				t.Errorf("heard %s, want %s", m, w)
			}
		}
		if more := ada.leftover(); more != nil {
			t.Errorf("heard also %q", more)
		}
	}
	heard(`"outcome_unknown"`)
	told := make(chan struct{})
	log.step <- func(done func(int, chat.Result)) {
		done(0, chat.Result{Change: chat.Change{Number: 9, Seq: 9, Epoch: epoch, ID: "x"}})
		told <- struct{}{}
	}
	<-told
	heard(`"type":"ack"`)
	b.hub.Lost("r:lobby", chat.Tail{Epoch: "second"})
	heard(`"event":"reload"`)
	b.hub.Deliver("r:lobby", said("second", 1))
	heard() // it may be the one whose result is not there
	log.step <- func(done func(int, chat.Result)) {
		done(1, chat.Result{Change: chat.Change{Number: 1, Seq: 1, Epoch: "second", ID: "y"}})
	}
	heard(`"type":"ack"`, `"type":"group"`)
	log.step <- nil
	h.settle()
	log.step = nil
}
