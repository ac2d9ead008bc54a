package consistency

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestOrdinaryHistoryIsClean(t *testing.T) {
	for _, v := range Check(ordinary().events) {
		t.Error(v)
	}
}

// Each row plants one fault in an ordinary history, and names the rules that find it.
func TestPlantedFaultsAreFound(t *testing.T) {
	for name, c := range planted {
		t.Run(name, func(t *testing.T) {
			s := ordinary()
			c.plant(s)
			found := Check(s.events)
			for _, r := range c.rules {
				if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == r }) {
					t.Errorf("not found by the rule %s", r)
				}
			}
			for _, v := range found {
				if !slices.Contains(c.rules, v.Rule) {
					t.Errorf("found besides: %s", v)
				}
			}
		})
	}
}

type fault struct {
	rules []Rule
	plant func(s *script)
}

func rules(r ...Rule) []Rule { return r }

var planted = map[string]fault{
	"two nodes have different messages at a seq": {rules(Order, Ghost), func(s *script) {
		s.get(Event{Kind: Delivered, Conn: 2, Conversation: lobby, Message: Message{Seq: 2}}).Content = "another one"
	}},
	"two messages have changed places for one connection": {rules(Delivery), func(s *script) {
		a, b := s.find(1, Event{Kind: Delivered, Conn: 1, Conversation: lobby}), s.find(2, Event{Kind: Delivered, Conn: 1, Conversation: lobby})
		s.events[a].Message, s.events[b].Message = s.events[b].Message, s.events[a].Message
		s.remove(Event{Kind: Acked, Ref: "r2"})
		s.remove(Event{Kind: Sent, Ref: "r2"})
		s.events = slices.Insert(s.events, 4, Event{Kind: Sent, Conn: 2, Conversation: lobby, Ref: "r2", Message: Message{Content: m2.Content}, At: 4 * time.Millisecond},
			Event{Kind: Acked, Conn: 2, Conversation: lobby, Ref: "r2", Message: Message{ID: m2.ID, Seq: 2, Epoch: "e1"}, At: 4 * time.Millisecond})
	}},
	"a message changes its time": {rules(Order), func(s *script) {
		s.get(Event{Kind: Delivered, Conn: 2, Conversation: lobby, Message: Message{Seq: 2}}).ServerTS++
	}},
	"an id is at two places": {rules(Order), func(s *script) {
		for i := range s.events {
			e := &s.events[i]
			if e.ID == p2.ID && e.Conversation == ab {
				e.ID = p1.ID
			}
			for j := range e.Messages {
				if e.Conversation == ab {
					e.Messages = slices.Clone(e.Messages)
					e.Messages[j].ID = p1.ID
				}
			}
		}
	}},
	"a message that was sent again is stored twice": {rules(Doubled), func(s *script) {
		double := message("e1", 3, bobID, "q2")
		ack := s.get(Event{Kind: Acked, Ref: "q2"})
		ack.Seq, ack.ID = 3, double.ID
		i := s.find(1, Event{Kind: Acked, Ref: "q2"})
		s.events = slices.Insert(s.events, i+1,
			Event{Kind: Delivered, At: ack.At, Conn: 1, Conversation: ab, Message: double},
			Event{Kind: Delivered, At: ack.At, Conn: 3, Conversation: ab, Message: double})
		read := &s.events[s.find(2, Event{Kind: Read, Conversation: ab})]
		read.Messages = append(slices.Clone(read.Messages), double)
	}},
	"somebody says what nobody sent": {rules(Ghost), func(s *script) {
		s.remove(Event{Kind: Sent, Ref: "r1"})
		s.remove(Event{Kind: Acked, Ref: "r1"})
	}},
	"a message comes from somebody else": {rules(Ghost), func(s *script) {
		for i := range s.events {
			if e := &s.events[i]; e.ID == m2.ID && e.Conversation == lobby && e.Kind == Delivered {
				e.Sender = eveID
			}
			for j, m := range s.events[i].Messages {
				if m.Content == m2.Content {
					s.events[i].Messages = slices.Clone(s.events[i].Messages)
					s.events[i].Messages[j].Sender = eveID
				}
			}
		}
		s.remove(Event{Kind: Acked, Ref: "r2"})
		s.get(Event{Kind: Sent, Ref: "r2"}).Conn = 1
		s.repeat(Event{Kind: Sent, Ref: "r2"}, func(e *Event) { e.Kind, e.Reason = Refused, OutcomeUnknown })
	}},
	"a message was refused and is there": {rules(Ghost), func(s *script) {
		e := s.get(Event{Kind: Acked, Ref: "r3"})
		*e = Event{Kind: Refused, At: e.At, Conn: 1, Conversation: lobby, Ref: "r3", Reason: "store_unavailable"}
	}},
	"a message comes twice": {rules(Delivery), func(s *script) {
		s.repeat(Event{Kind: Delivered, Conn: 2, Conversation: lobby, Message: Message{Seq: 2}}, unchanged)
	}},
	"a connection misses a message in the middle": {rules(Delivery, Missed), func(s *script) {
		s.remove(Event{Kind: Read, Conn: 1, Conversation: lobby})
		s.remove(Event{Kind: Delivered, Conn: 1, Conversation: lobby, Message: Message{Seq: 2}})
	}},
	"a connection misses the last message": {rules(Undelivered, Missed), func(s *script) {
		s.remove(Event{Kind: Delivered, Conn: 1, Conversation: lobby, Message: Message{Seq: 3}})
	}},
	"a connection misses the first private message": {rules(Delivery), func(s *script) {
		s.remove(Event{Kind: Delivered, Conn: 1, Conversation: ab})
	}},
	"a connection hears nothing of a private conversation": {rules(Undelivered), func(s *script) {
		s.remove(Event{Kind: Delivered, Conn: 1, Conversation: ab})
		s.remove(Event{Kind: Delivered, Conn: 1, Conversation: ab})
	}},
	"a private message reaches a third person": {rules(Delivery), func(s *script) {
		s.connect(5, "eve", eveID, "n1")
		e := *s.get(Event{Kind: Delivered, Conn: 1, Conversation: ab})
		s.add(Event{Kind: Delivered, Conn: 5, Conversation: ab, Message: e.Message})
	}},
	"a connection gets a message after it has left": {rules(Delivery), func(s *script) {
		i := s.find(1, Event{Kind: Delivered, Conn: 2, Conversation: lobby, Message: Message{Seq: 2}})
		s.events = slices.Insert(s.events, i, Event{Kind: Unsubscribed, At: s.events[i].At, Conn: 2, Conversation: lobby})
	}},
	"a message comes back before it is acknowledged": {rules(Early), func(s *script) {
		i := s.find(1, Event{Kind: Acked, Ref: "r1"})
		s.events[i], s.events[i+1] = s.events[i+1], s.events[i]
		s.events[i].At, s.events[i+1].At = s.events[i+1].At, s.events[i].At
	}},
	"a client does not catch up": {rules(Missed), func(s *script) {
		s.remove(Event{Kind: Read, Conn: 3, Conversation: lobby})
	}},
	"an acknowledged message is gone": {rules(Lost), func(s *script) {
		read := &s.events[s.find(3, Event{Kind: Read, Conversation: lobby})]
		read.Messages = read.Messages[:2]
	}},
	"everything is gone": {rules(Lost), func(s *script) {
		s.events[s.find(3, Event{Kind: Read, Conversation: lobby})].Messages = nil
	}},
	"a page has a hole": {rules(Page), func(s *script) {
		read := &s.events[s.find(3, Event{Kind: Read, Conversation: lobby})]
		read.Messages = []Message{m1, m3}
	}},
	"a page begins too late": {rules(Page), func(s *script) {
		read := &s.events[s.find(3, Event{Kind: Read, Conversation: lobby})]
		read.Messages = []Message{m2, m3}
	}},
	"a page is empty and not the last": {rules(Page), func(s *script) {
		s.connect(5, "eve", eveID, "n1")
		s.add(Event{Kind: Read, Conn: 5, Conversation: lobby, After: 1, More: true, Began: s.events[len(s.events)-1].At})
	}},
	"a new epoch without a loss": {rules(EpochRule), func(s *script) { forkLast(s, "e2") }},
	"a connection goes back to an old epoch": {rules(EpochRule, Delivery), func(s *script) {
		lose(s, time.Hour)
		s.deliver(lobby, m3, 3)
	}},
	"a node answers from an old epoch": {rules(EpochRule), func(s *script) {
		flush(s)
		s.connect(5, "eve", eveID, "n1")
		s.read(5, lobby, 2, m3)
	}},
	"a node stores in an old epoch": {rules(EpochRule), func(s *script) {
		flush(s)
		s.connect(5, "eve", eveID, "n1")
		s.send(5, lobby, "r9")
		s.ack(5, lobby, "r9", "e1", 4)
	}},
	"a connection is told of a new epoch by a message": {rules(Delivery), func(s *script) {
		lose(s, time.Hour)
		s.remove(Event{Kind: Reload, Conn: 1})
	}},
	"a connection is not told of a new epoch": {rules(Undelivered), func(s *script) {
		lose(s, time.Hour)
		s.remove(Event{Kind: Reload, Conn: 3})
		s.remove(Event{Kind: Delivered, Conn: 3, Conversation: lobby})
	}},
	"a private message of a new epoch is not delivered": {rules(Undelivered), func(s *script) {
		flushPrivate(s)
		s.remove(Event{Kind: Delivered, Conn: 3, Conversation: ab})
	}},
	"a loss takes more than it may": {rules(Lost), func(s *script) {
		flush(s)
		s.get(Event{Kind: Lossy}).Window = time.Millisecond
	}},
	"a reload without a reason": {rules(ReloadRule), func(s *script) {
		s.repeat(Event{Kind: Delivered, Conn: 1, Conversation: lobby, Message: Message{Seq: 3}}, func(e *Event) { e.Kind = Reload })
	}},
	"a new connection is not told of a room": {rules(Delivery), func(s *script) {
		later(s, func() { s.add(Event{Kind: Ready, Conn: 5, Told: true}) }, func() { s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
	}},
	"a new connection does not hear a room": {rules(Undelivered), func(s *script) {
		later(s, func() { s.add(Event{Kind: Ready, Conn: 5}) }, func() {})
	}},
	"a member is told to be none": {rules(Delivery), func(s *script) {
		later(s, func() { s.add(Event{Kind: Gone, Conn: 5, Conversation: lobby}) }, func() {})
		s.get(Event{Kind: Present}).Users = []string{annID, bobID}
	}},
	"a resumed connection misses a message": {rules(Delivery, Missed), func(s *script) {
		later(s, func() { s.resume(5, lobby, "e1", 2) }, func() { s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
		s.repeat(Event{Kind: Resumed}, func(e *Event) { e.Kind, e.Seq = Delivered, 2 })
		s.get(Event{Kind: Delivered, Conn: 5}).Message = m2
		s.get(Event{Kind: Resumed}).Seq = 1
	}},
	"a resumed connection gets a message twice": {rules(Delivery), func(s *script) {
		later(s, func() { s.resume(5, lobby, "e1", 3) }, func() { s.deliver(lobby, m3, 5); s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
	}},
	"a resumed connection is told to reload for nothing": {rules(ReloadRule), func(s *script) {
		later(s, func() { s.resume(5, lobby, "e1", 2); s.reload(5, lobby, "e1", 3) }, func() { s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
	}},
	"presence names a user who is gone": {rules(Presence), func(s *script) {
		s.get(Event{Kind: Present}).Users = []string{annID, bobID, eveID}
	}},
	"presence names a user twice": {rules(Presence), func(s *script) {
		s.get(Event{Kind: Present}).Users = []string{annID, annID, bobID}
	}},
	"presence misses a user": {rules(Presence), func(s *script) {
		s.get(Event{Kind: Present}).Users = []string{annID}
	}},
	"a message is never answered": {rules(Unanswered), func(s *script) {
		s.remove(Event{Kind: Acked, Ref: "q2"})
	}},
	"an answer to nothing": {rules(Unanswered), func(s *script) {
		s.repeat(Event{Kind: Acked, Ref: "r1"}, func(e *Event) { e.Conn = 2 })
	}},
}

// forkLast gives the last reading of the lobby another epoch, and tells every client.
func forkLast(s *script, epoch string) {
	i := s.find(3, Event{Kind: Read, Conversation: lobby})
	messages := slices.Clone(s.events[i].Messages)
	for j := range messages {
		messages[j].Epoch = epoch
	}
	s.events[i].Messages = messages
	at := s.events[i-1].At
	for _, conn := range []int{1, 3} {
		s.events = slices.Insert(s.events, i, Event{Kind: Reload, At: at, Conn: conn, Conversation: lobby, Message: Message{Epoch: epoch, Seq: 3}})
	}
}

// flush loses everything in the lobby, and tells every client; then Ann sends r4.
func flush(s *script) { lose(s, -1) }

// lose is flush with a loss of the messages acknowledged within a window.
func lose(s *script, window time.Duration) {
	m4 := message("e2", 1, annID, "r4")
	s.before(Event{Kind: Connected, Conn: 4}, func() {
		s.lossy(window)
		s.reload(1, lobby, "e2", 0)
		s.reload(3, lobby, "e2", 0)
		s.send(1, lobby, "r4")
		s.ack(1, lobby, "r4", "e2", 1)
		s.deliver(lobby, m4, 1, 3)
	})
	s.events[s.find(3, Event{Kind: Read, Conversation: lobby})].Messages = []Message{m4}
}

// later connects Ann with another device (5), and sends her r4 (seq 4) to the lobby from the
// first one.
func later(s *script, begin, hear func()) {
	m4 := message("e1", 4, annID, "r4")
	s.before(Event{Kind: Connected, Conn: 4}, func() {
		s.connect(5, "ann's telephone", annID, "n2")
		begin()
		s.send(1, lobby, "r4")
		s.ack(1, lobby, "r4", "e1", 4)
		s.deliver(lobby, m4, 1, 3)
		hear()
	})
	read := &s.events[s.find(3, Event{Kind: Read, Conversation: lobby})]
	read.Messages = append(slices.Clone(read.Messages), m4)
}

// flushPrivate loses the messages of Ann and Bob; then Ann sends a new one, and only that tells
// them.
func flushPrivate(s *script) {
	i := s.find(1, Event{Kind: Connected, Conn: 4})
	at := s.events[i-1].At
	q3 := message("e2", 1, annID, "q3")
	s.events = slices.Insert(s.events, i,
		Event{Kind: Lossy, At: at, Began: at, Window: -1},
		Event{Kind: Sent, At: at, Conn: 1, Conversation: ab, Ref: "q3", Message: Message{Content: q3.Content}},
		Event{Kind: Acked, At: at, Conn: 1, Conversation: ab, Ref: "q3", Message: Message{ID: q3.ID, Seq: 1, Epoch: "e2"}},
		Event{Kind: Delivered, At: at, Conn: 1, Conversation: ab, Message: q3},
		Event{Kind: Delivered, At: at, Conn: 3, Conversation: ab, Message: q3})
	s.events[s.find(2, Event{Kind: Read, Conversation: ab})].Messages = []Message{q3}
}

// Histories that look faulty but are not.
func TestWhatIsAllowed(t *testing.T) {
	for name, edit := range map[string]func(s *script){
		"a planned loss":            flush,
		"a planned loss in private": flushPrivate,
		"a loss of the memberships, too": func(s *script) {
			flush(s)
			s.remove(Event{Kind: Reload, Conn: 3})
			s.remove(Event{Kind: Delivered, Conn: 3, Conversation: lobby})
			s.get(Event{Kind: Present}).Users = []string{annID}
		},
		"a loss of a membership that a connection, which has heard nothing of it, is not told of": func(s *script) {
			m4, m5 := message("e2", 1, annID, "r4"), message("e2", 2, annID, "r5")
			s.before(Event{Kind: Connected, Conn: 4}, func() {
				s.connect(5, "ann's telephone", annID, "n2")
				s.add(Event{Kind: Ready, Conn: 5})
				s.lossy(-1)
				for _, conn := range []int{1, 3, 5} {
					s.reload(conn, lobby, "e2", 0)
				}
				for i, m := range []Message{m4, m5} {
					ref := []string{"r4", "r5"}[i]
					s.send(1, lobby, ref)
					s.ack(1, lobby, ref, "e2", m.Seq)
					s.deliver(lobby, m, 1, 3)
				}
				s.deliver(lobby, m5, 5)
				s.read(5, lobby, 0, m4, m5)
			})
			s.events[s.find(4, Event{Kind: Read, Conversation: lobby})].Messages = []Message{m4, m5}
		},
		"a planned loss of the last moment": func(s *script) {
			s.lossy(time.Hour)
			i := s.find(3, Event{Kind: Read, Conversation: lobby})
			forkLast(s, "e2")
			loss := s.events[len(s.events)-1]
			loss.At, loss.Began = s.events[i-1].At, s.events[i-1].At
			s.events = slices.Insert(s.events[:len(s.events)-1], i, loss)
		},
		"a resumed connection": func(s *script) {
			later(s, func() {
				s.resume(5, lobby, "e1", 2)
				s.deliver(lobby, m3, 5)
				s.add(Event{Kind: Ready, Conn: 5, Told: true})
			},
				func() { s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
		},
		"a connection that hears its rooms by itself": func(s *script) {
			later(s, func() { s.add(Event{Kind: Ready, Conn: 5}) }, func() { s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
		},
		"a connection that does not want to hear a room": func(s *script) {
			later(s, func() {
				s.join(5, lobby, "e1", 3)
				s.add(Event{Kind: Unsubscribed, Conn: 5, Conversation: lobby})
			}, func() {})
		},
		"a connection that does not want to hear a room, before the first answer": func(s *script) {
			later(s, func() {
				s.resume(5, lobby, "e1", 3)
				s.add(Event{Kind: Unsubscribed, Conn: 5, Conversation: lobby})
				s.add(Event{Kind: Ready, Conn: 5, Told: true})
			}, func() {})
		},
		"a room that is heard again, from before what was heard": func(s *script) {
			later(s, func() {
				s.resume(5, lobby, "e1", 3)
				s.add(Event{Kind: Unsubscribed, Conn: 5, Conversation: lobby})
				s.join(5, lobby, "e1", 1)
				s.deliver(lobby, m2, 5)
				s.deliver(lobby, m3, 5)
			}, func() { s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
		},
		"a last page that does not reach back to an earlier epoch": func(s *script) {
			forkLast(s, "e2")
			s.before(Event{Kind: Connected, Conn: 4}, func() { s.lossy(0) })
			read := &s.events[s.find(3, Event{Kind: Read, Conversation: lobby})]
			read.Messages, read.After = read.Messages[len(read.Messages)-1:], 2
			s.remove(Event{Kind: Read, Conn: 1, Conversation: lobby})
		},
		"somebody leaves, and hears something until then": func(s *script) {
			later(s, func() {
				s.join(5, lobby, "e1", 3)
				s.add(Event{Kind: Leaving, Conn: 5, Conversation: lobby})
			}, func() {
				s.deliver(lobby, message("e1", 4, annID, "r4"), 5)
				s.add(Event{Kind: Left, Conn: 5, Conversation: lobby})
			})
		},
		"a join without an answer that has its effect": func(s *script) {
			later(s, func() {
				s.join(5, lobby, "e1", 3)
				s.add(Event{Kind: Leaving, Conn: 5, Conversation: lobby})
				s.add(Event{Kind: Left, Conn: 5, Conversation: lobby})
				s.add(Event{Kind: Joining, Conn: 5, Conversation: lobby})
			}, func() { s.deliver(lobby, message("e1", 4, annID, "r4"), 5) })
		},
		"a member who may have been forgotten, and was not": func(s *script) {
			later(s, func() {
				s.disconnect(1)
				s.add(Event{Kind: Ready, Conn: 5})
				s.connect(6, "ann's computer", annID, "n2")
			}, func() {})
			for _, like := range []Event{{Kind: Sent, Ref: "r4"}, {Kind: Acked, Ref: "r4"}} {
				s.get(like).Conn = 6
			}
			s.remove(Event{Kind: Delivered, Conn: 1, Message: Message{Seq: 4}})
			at := s.find(1, Event{Kind: Subscribed, Conn: 1})
			s.events = slices.Insert(s.events, at+1, Event{Kind: Fault, At: s.events[at].At})
		},
		"a membership that was not on disk": func(s *script) {
			later(s, func() { s.add(Event{Kind: Ready, Conn: 5, Told: true}) }, func() {})
			at := s.find(1, Event{Kind: Subscribed, Conn: 1})
			s.events = slices.Insert(s.events, at+1, Event{Kind: Fault, At: s.events[at].At})
		},
		"a reload after a loss, and before the new epoch": func(s *script) {
			s.before(Event{Kind: Connected, Conn: 4}, func() {
				s.lossy(0)
				s.reload(1, lobby, "e1", 3)
			})
		},
		"a message that joins the room that was left meanwhile": func(s *script) {
			s.before(Event{Kind: Acked, Ref: "r3"}, func() { s.add(Event{Kind: Unsubscribed, Conn: 1, Conversation: lobby}) })
		},
		"a message of a user who was lost": func(s *script) {
			s.remove(Event{Kind: Acked, Ref: "q2"})
			s.before(Event{Kind: Connected, Conn: 4}, func() { s.lossy(-1) })
		},
		"a refusal that leaves the outcome open": func(s *script) {
			e := s.get(Event{Kind: Acked, Ref: "r3"})
			*e = Event{Kind: Refused, At: e.At, Conn: 1, Conversation: lobby, Ref: "r3", Reason: OutcomeUnknown}
		},
		"a second acknowledgement": func(s *script) {
			s.repeat(Event{Kind: Acked, Ref: "q2"}, unchanged)
			s.repeat(Event{Kind: Sent, Conn: 3, Ref: "q2"}, unchanged)
		},
		"a damaged message, which is named": func(s *script) {
			read := &s.events[s.find(3, Event{Kind: Read, Conversation: lobby})]
			read.Messages, read.Damaged = []Message{m1, m3}, []uint64{2}
		},
		"somebody leaves while presence is asked for": func(s *script) {
			s.repeat(Event{Kind: Present}, func(e *Event) { *e = Event{Kind: Left, At: e.At, Conn: 1, Conversation: lobby} })
			s.get(Event{Kind: Present}).Users = []string{bobID}
			last := &s.events[len(s.events)-1]
			last.At += time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := ordinary()
			edit(s)
			for _, v := range Check(s.events) {
				t.Error(v)
			}
		})
	}
}

func TestSaveAndLoad(t *testing.T) {
	var b bytes.Buffer
	history := ordinary().events
	if err := Save(&b, history); err != nil {
		t.Fatal(err)
	}
	got, err := Load(&b)
	if err != nil || !reflect.DeepEqual(got, history) {
		t.Errorf("%v; %d events of %d", err, len(got), len(history))
	}
	if _, err := Load(bytes.NewBufferString("{}\nnonsense")); err == nil {
		t.Error("nonsense is loaded")
	}
}

// Every rule is named by a planted fault.
func TestEveryRuleIsPlanted(t *testing.T) {
	named := map[Rule]bool{}
	for _, c := range planted {
		for _, r := range c.rules {
			named[r] = true
		}
	}
	for _, r := range allRules {
		if !named[r] {
			t.Errorf("no planted fault is found by %s", r)
		}
	}
}
