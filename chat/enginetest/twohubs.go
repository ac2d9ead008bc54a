package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// testTwoHubs has people on two nodes of one engine join, leave, talk and go at random, and
// holds what each connection was sent against a model: of a room it is in, it hears every
// change after the position of its join and before its leave, in order and once, and is
// told of its own messages before it sees them; and of private messages likewise.
func testTwoHubs(h *house) {
	seed := rand.Uint64()
	h.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	hubs := make([]*chat.Hub, 2)
	for i := range hubs {
		hubs[i] = chat.New(chat.Config{Engine: h.Engine, Auth: names{}, NewFanout: newFan, Log: slog.New(slog.DiscardHandler), Sequencers: 3})
	}
	people := []string{"u_ada", "u_bob", "u_eve"}
	for i, id := range people {
		if err := h.Directory.PutUser(ctx, chat.User{ID: id, Name: []string{"Ada", "Bob", "Eve"}[i]}); err != nil {
			h.Fatal(err)
		}
	}
	var all, open []*socket
	for step := range 400 {
		if len(open) == 0 || len(open) < 8 && random.IntN(8) == 0 {
			s := newSocket(h, people[random.IntN(len(people))])
			s.conn = hubs[random.IntN(2)].Open(s, chat.ConnectionInfo{})
			s.say(`{"type":"auth","token":"` + s.user + `","features":["ack"]}`)
			all, open = append(all, s), append(open, s)
			continue
		}
		i := random.IntN(len(open))
		s, room := open[i], []string{"lobby", "attic", "cellar"}[random.IntN(3)]
		switch random.IntN(10) {
		case 0:
			s.await()
			s.conn.Closed()
			open = append(open[:i], open[i+1:]...)
		case 1, 2:
			s.ask(`{"type":"join","receiver_id":"` + room + `"`)
		case 3:
			s.ask(`{"type":"leave","receiver_id":"` + room + `"`)
		case 4, 5:
			s.ask(fmt.Sprintf(`{"type":"message","receiver_id":"%s","content":"%d"`, people[random.IntN(len(people))], step))
		default:
			s.ask(fmt.Sprintf(`{"type":"group","receiver_id":"%s","content":"%d"`, room, step))
		}
		if random.IntN(4) == 0 {
			s.await()
		}
	}
	for _, s := range open {
		s.await()
	}
	// What was stored for each room is delivered by now to those who are in it, or will be.
	ends := map[string]uint64{}
	for _, room := range []string{"lobby", "attic", "cellar"} {
		tail, err := h.Log.Tail(ctx, chat.RoomConversation(room))
		if err != nil {
			h.Fatal(err)
		}
		ends[room] = tail.Seq
	}
	for _, s := range open {
		h.await("everything for a connection", func() bool { return s.complete(ends) })
	}
	for _, hub := range hubs {
		if err := hub.Shutdown(ctx); err != nil {
			h.Error(err)
		}
	}
	for _, s := range all {
		s.check()
	}
}

// names authenticates a token as the user of the same name.
type names struct{}

func (names) Authenticate(token string) (chat.Identity, error) {
	return chat.Identity{UserID: token}, nil
}

// fan is a chat.Fanout without loops.
type fan struct {
	mu      sync.Mutex
	sockets map[chat.Socket]bool
}

func newFan() chat.Fanout { return &fan{sockets: make(map[chat.Socket]bool)} }

func (f *fan) Join(s chat.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sockets[s] = true
}

func (f *fan) Leave(s chat.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sockets, s)
}

func (f *fan) Send(m *wsproto.Prepared, _ chat.Urgency) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.sockets {
		s.SendPrepared(m)
	}
}

// socket is a connection whose other end is the test.
type socket struct {
	h    *house
	user string
	conn *chat.Connection

	mu sync.Mutex
	// Guarded by mu.
	heard []event
	asked int
	acked int
}

// event is what the checks need of a message.
type event struct {
	Type, Op, Ref string
	Sender        string `json:"sender_id"`
	Receiver      string `json:"receiver_id"`
	ID            string
	Seq           uint64
	Reason        string
}

func newSocket(h *house, user string) *socket { return &socket{h: h, user: user} }

// SendPrepared implements chat.Socket.
func (s *socket) SendPrepared(m *wsproto.Prepared) error {
	var ev event
	if err := json.Unmarshal(m.Payload(), &ev); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, ev)
	if ev.Ref != "" {
		s.acked++
	}
	return nil
}

// Close implements chat.Socket.
func (s *socket) Close(code wsproto.CloseCode, reason string) {
	s.h.Errorf("%s was closed with %d %s", s.user, code, reason)
}

// Pause implements chat.Socket.
func (s *socket) Pause(bool) {}

func (s *socket) say(text string) { s.conn.Handle(frame.Text, []byte(text)) }

// ask says something that will be answered; text lacks its end.
func (s *socket) ask(text string) {
	s.mu.Lock()
	s.asked++
	ref := fmt.Sprint(s.user, "-", s.asked, "-", time.Now().UnixNano())
	s.mu.Unlock()
	s.say(text + `,"ref":"` + ref + `"}`)
}

// await waits until everything asked is answered.
func (s *socket) await() {
	s.h.Helper()
	s.h.await("the answers", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.acked == s.asked
	})
}

// stay is a time in a room.
type stay struct{ after, last uint64 }

// complete reports whether a connection has heard all of the rooms it is in.
func (s *socket) complete(ends map[string]uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, err := s.replay()
	if err != nil {
		return true // check says so
	}
	for room, st := range in {
		if st.last < ends[room] {
			return false
		}
	}
	return true
}

// check holds what was heard against the rules.
func (s *socket) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.replay(); err != nil {
		s.h.Errorf("%s: %v in %+v", s.user, err, s.heard)
	}
}

// replay is the model. It returns the rooms that the connection is in at the end. Called
// with mu held.
func (s *socket) replay() (map[string]*stay, error) {
	in := map[string]*stay{}
	talks := map[string]uint64{}
	acked := map[string]bool{}
	for i, ev := range s.heard {
		switch {
		case ev.Type == "error" && ev.Reason != "unknown_room":
			return in, errors.New(ev.Reason)
		case ev.Type == "ack" && ev.Op == "join":
			if in[ev.Receiver] == nil {
				in[ev.Receiver] = &stay{ev.Seq, ev.Seq}
			} else if in[ev.Receiver].last != ev.Seq {
				return in, fmt.Errorf("event %d: joined again at %d, having heard %d", i, ev.Seq, in[ev.Receiver].last)
			}
		case ev.Type == "ack" && ev.Op == "leave":
			if st := in[ev.Receiver]; st != nil && st.last != ev.Seq {
				return in, fmt.Errorf("event %d: left at %d, having heard %d", i, ev.Seq, st.last)
			}
			delete(in, ev.Receiver)
		case ev.Type == "ack":
			acked[ev.ID] = true
		case ev.Type == "group":
			st := in[ev.Receiver]
			if st == nil { // its own first message joined it: it hears from there, or from what came before
				st = &stay{ev.Seq - 1, ev.Seq - 1}
				in[ev.Receiver] = st
			}
			if ev.Seq != st.last+1 {
				return in, fmt.Errorf("event %d: seq %d of %s after %d", i, ev.Seq, ev.Receiver, st.last)
			}
			st.last = ev.Seq
		case ev.Type == "message":
			other := ev.Receiver
			if other == s.user {
				other = ev.Sender
			}
			if last, ok := talks[other]; ok && ev.Seq != last+1 {
				return in, fmt.Errorf("event %d: seq %d with %s after %d", i, ev.Seq, other, last)
			}
			talks[other] = ev.Seq
		}
	}
	// Each of its own messages was acknowledged before it came back.
	seen := map[string]bool{}
	for i, ev := range s.heard {
		if ev.Type == "ack" && seen[ev.ID] {
			return in, fmt.Errorf("event %d: acknowledged after it was delivered", i)
		}
		if ev.Type == "group" || ev.Type == "message" {
			seen[ev.ID] = true
		}
	}
	return in, nil
}
