package consistency

import (
	"fmt"
	"slices"
	"time"
)

// script is a history that is being written, one event a millisecond.
type script struct{ events []Event }

func (s *script) add(e Event) *Event {
	e.At = time.Duration(len(s.events)+1) * time.Millisecond
	if e.Began == 0 && slices.Contains([]Kind{Read, Present}, e.Kind) {
		e.Began = e.At - time.Microsecond
	}
	s.events = append(s.events, e)
	return &s.events[len(s.events)-1]
}

func (s *script) connect(conn int, client, user, node string) {
	s.add(Event{Kind: Connected, Conn: conn, Client: client, User: user, Node: node})
}

func (s *script) disconnect(conn int) { s.add(Event{Kind: Disconnected, Conn: conn}) }

func (s *script) join(conn int, room, epoch string, seq uint64) {
	s.add(Event{Kind: Subscribed, Conn: conn, Conversation: room, Message: Message{Epoch: epoch, Seq: seq}})
}

func (s *script) send(conn int, conversation, ref string) {
	s.add(Event{Kind: Sent, Conn: conn, Conversation: conversation, Ref: ref, Message: Message{Content: "content of " + ref}})
}

func (s *script) ack(conn int, conversation, ref, epoch string, seq uint64) {
	s.add(Event{Kind: Acked, Conn: conn, Conversation: conversation, Ref: ref, Message: Message{Epoch: epoch, Seq: seq, ID: id(epoch, seq)}})
}

func (s *script) deliver(conversation string, m Message, conns ...int) {
	for _, conn := range conns {
		s.add(Event{Kind: Delivered, Conn: conn, Conversation: conversation, Message: m})
	}
}

func (s *script) reload(conn int, conversation, epoch string, seq uint64) {
	s.add(Event{Kind: Reload, Conn: conn, Conversation: conversation, Message: Message{Epoch: epoch, Seq: seq}})
}

func (s *script) resume(conn int, conversation, epoch string, seq uint64) {
	s.add(Event{Kind: Resumed, Conn: conn, Conversation: conversation, Message: Message{Epoch: epoch, Seq: seq}})
}

func (s *script) read(conn int, conversation string, after uint64, messages ...Message) {
	s.add(Event{Kind: Read, Conn: conn, Conversation: conversation, After: after, Messages: messages})
}

// lossy is a loss of the messages acknowledged in the window before it; of everything if that is
// negative.
func (s *script) lossy(window time.Duration) {
	e := s.add(Event{Kind: Lossy, Window: window})
	e.Began = e.At - time.Microsecond
}

// settle ends a history: the conversations are read to their ends, and so is the presence in the
// room.
func (s *script) settle(conn int, room string, users []string, histories map[string][]Message) {
	began := time.Duration(len(s.events)+1)*time.Millisecond - 10*time.Microsecond
	for _, conversation := range []string{room, ab} {
		s.read(conn, conversation, 0, histories[conversation]...)
	}
	s.add(Event{Kind: Present, Conn: conn, Conversation: room, Users: users})
	s.add(Event{Kind: Settled}).Began = began
}

func id(epoch string, seq uint64) string { return fmt.Sprintf("%s-%d", epoch, seq) }

func message(epoch string, seq uint64, sender, ref string) Message {
	return Message{Sender: sender, Content: "content of " + ref, ID: id(epoch, seq), Seq: seq, Epoch: epoch, ServerTS: 1000 + int64(seq)}
}

const (
	annID, bobID, eveID = "u_ann", "u_bob", "u_eve"
	lobby               = "lobby"
)

var ab = Private(annID, bobID)

// The messages of the history that ordinary writes.
var (
	m1 = message("e1", 1, annID, "r1")
	m2 = message("e1", 2, bobID, "r2")
	m3 = message("e1", 3, annID, "r3")
	p1 = message("e1", 1, annID, "q1")
	p2 = message("e1", 2, bobID, "q2")
)

// ordinary is a correct history. Ann is connected once (1), Bob twice, one after the other (2,
// 3), and an auditor (4). Ann's r3 is acknowledged while Bob is away; his q2 has to be sent
// twice.
func ordinary() *script {
	s := &script{}
	s.connect(1, "ann", annID, "n1")
	s.connect(2, "bob", bobID, "n2")
	s.join(1, lobby, "e1", 0)
	s.join(2, lobby, "e1", 0)
	s.send(1, lobby, "r1")
	s.ack(1, lobby, "r1", "e1", 1)
	s.deliver(lobby, m1, 1, 2)
	s.send(2, lobby, "r2")
	s.ack(2, lobby, "r2", "e1", 2)
	s.deliver(lobby, m2, 1, 2)
	s.send(1, ab, "q1")
	s.ack(1, ab, "q1", "e1", 1)
	s.deliver(ab, p1, 1, 2)
	s.read(1, lobby, 0, m1, m2)
	s.send(2, ab, "q2")
	s.disconnect(2)
	s.deliver(ab, p2, 1)
	s.send(1, lobby, "r3")
	s.ack(1, lobby, "r3", "e1", 3)
	s.deliver(lobby, m3, 1)
	s.connect(3, "bob", bobID, "n1")
	s.join(3, lobby, "e1", 3)
	s.read(3, lobby, 2, m3)
	s.read(3, ab, 1, p2)
	s.send(3, ab, "q2")
	s.ack(3, ab, "q2", "e1", 2)
	s.connect(4, "audit", eveID, "n3")
	s.settle(4, lobby, []string{annID, bobID}, map[string][]Message{lobby: {m1, m2, m3}, ab: {p1, p2}})
	return s
}

// before calls write to add events before one like this; later events move back.
func (s *script) before(like Event, write func()) {
	i := s.find(1, like)
	rest := slices.Clone(s.events[i:])
	s.events = slices.Clip(s.events[:i])
	write()
	shift := s.events[len(s.events)-1].At
	for _, e := range rest {
		e.At += shift
		if e.Began != 0 {
			e.Began += shift
		}
		s.events = append(s.events, e)
	}
}

// find returns the index of the nth event, from 1, for which the given fields are as in like.
func (s *script) find(n int, like Event) int {
	for i, e := range s.events {
		if e.Kind == like.Kind && (like.Conn == 0 || e.Conn == like.Conn) && (like.Conversation == "" || e.Conversation == like.Conversation) &&
			(like.Seq == 0 || e.Seq == like.Seq) && (like.Ref == "" || e.Ref == like.Ref) {
			if n--; n == 0 {
				return i
			}
		}
	}
	panic(fmt.Sprintf("there is no event like %+v", like))
}

func (s *script) get(like Event) *Event { return &s.events[s.find(1, like)] }

func (s *script) remove(like Event) {
	i := s.find(1, like)
	s.events = slices.Delete(s.events, i, i+1)
}

// repeat adds a copy of an event directly after it.
func (s *script) repeat(like Event, edit func(*Event)) {
	i := s.find(1, like)
	e := s.events[i]
	e.At += time.Microsecond
	edit(&e)
	s.events = slices.Insert(s.events, i+1, e)
}

func unchanged(*Event) {}
