package enginetest

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
)

// stage is where scripts are played: an engine in a new place for each, and what is put
// between it, the hubs and the connections to see whether the model notices.
type stage struct {
	newPlace func(*testing.T) Place
	engine   func(chat.Engine) chat.Engine // nil: as it is
	fanout   func() chat.Fanout            // nil: newFan
	send     func(s *socket, ev event)     // nil: socket.hear
	patience time.Duration                 // how long to wait for what must come
}

// forgetter is an engine's Log that can lose a conversation, whose next epoch begins.
type forgetter interface{ Forget(chat.Conversation) }

// seeded is a Place whose engine does things by chance.
type seeded interface{ Seed(uint64) }

// play plays a script on two nodes of one engine, and returns what was not as it must be. Of
// a script and a seed everything is the same each time but the order in which goroutines run.
func (g *stage) play(t *testing.T, s script, seed uint64) error {
	place := g.newPlace(t)
	if p, ok := place.(seeded); ok {
		p.Seed(seed)
	}
	engine := place.Open(t, &Clock{wall: start})
	defer place.Close(t)
	p := &performance{stage: g, Engine: engine, open: make(map[int]*socket)}
	for _, id := range people {
		if err := engine.Directory.PutUser(ctx, chat.User{ID: id, Name: "Name of " + id}); err != nil {
			return err
		}
	}
	if g.engine != nil {
		engine = g.engine(engine)
	}
	engine.Broker = &tardy{Broker: engine.Broker, random: rand.New(rand.NewPCG(seed, 2))}
	fanout := g.fanout
	if fanout == nil {
		fanout = p.newFan
	}
	for range 2 {
		p.hubs = append(p.hubs, chat.New(chat.Config{Engine: engine, Auth: names{}, NewFanout: fanout, Log: slog.New(slog.DiscardHandler), Sequencers: 3}))
	}
	err := p.run(s)
	for _, s := range p.open {
		s.close()
	}
	for _, hub := range p.hubs {
		if e := hub.Shutdown(ctx); err == nil {
			err = e
		}
	}
	if err == nil {
		err = p.check()
	}
	return err
}

// performance is one script being played.
type performance struct {
	*stage
	chat.Engine
	hubs []*chat.Hub
	open map[int]*socket // by the script's number
	all  []*socket
	step int
	said []saying
	time atomic.Int64 // of notes

	mu   sync.Mutex
	fans []*fan // Guarded by mu.
}

// saying is what somebody said, or tried to.
type saying struct {
	by   *socket
	in   chat.Conversation
	step int
}

func (p *performance) run(s script) error {
	for i, st := range s {
		p.step = i
		if err := p.do(st); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, st, err)
		}
	}
	p.step = len(s)
	if err := p.end(); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	return nil
}

// end waits until everybody has heard everything, and then has a last message said in every
// room.
func (p *performance) end() error {
	if err := p.settle(); err != nil {
		return err
	}
	for _, room := range rooms {
		for _, s := range p.sockets() {
			s.mu.Lock()
			m, err := replay(s)
			s.mu.Unlock()
			if err == nil && m.in[room] != nil {
				s.ask("group", room, p.saying(s, chat.RoomConversation(room)))
				break
			}
		}
	}
	return p.settle()
}

// sockets are the open ones, in a fixed order.
func (p *performance) sockets() (open []*socket) {
	for _, conn := range slices.Sorted(maps.Keys(p.open)) {
		open = append(open, p.open[conn])
	}
	return open
}

// settle waits until everybody has heard everything.
func (p *performance) settle() error {
	for _, s := range p.sockets() {
		if err := s.await(s.answered); err != nil {
			return err
		}
	}
	histories, err := p.histories()
	if err != nil {
		return err
	}
	members, err := p.memberships()
	if err != nil {
		return err
	}
	for _, s := range p.sockets() {
		if err := s.await(func() bool { return p.complete(s, histories, members) }); err != nil {
			return err
		}
	}
	return p.settlePresence()
}

// histories reads all that is stored.
func (p *performance) histories() (map[chat.Conversation]chat.Page, error) {
	all := make(map[chat.Conversation]chat.Page)
	for _, c := range conversations() {
		page, err := p.Log.History(ctx, chat.HistoryQuery{Conversation: c, Limit: 1 << 20})
		if err != nil {
			return nil, err
		}
		all[c] = page
	}
	return all, nil
}

func conversations() (cs []chat.Conversation) {
	for _, room := range rooms {
		cs = append(cs, chat.RoomConversation(room))
	}
	for i, one := range people {
		for _, other := range people[i:] {
			cs = append(cs, chat.PrivateConversation(one, other))
		}
	}
	return cs
}

func (p *performance) do(st step) error {
	if st.verb == "forget" {
		if f, ok := p.Log.(forgetter); ok {
			f.Forget(chat.RoomConversation(st.what))
		}
		return nil
	}
	s := p.open[st.conn]
	if st.verb == "open" {
		if s == nil {
			return p.enter(st)
		}
		return nil
	}
	if s == nil {
		return nil
	}
	switch st.verb {
	case "join", "leave", "unsubscribe":
		s.ask(st.verb, st.what, "")
	case "say":
		s.ask("group", st.what, p.saying(s, chat.RoomConversation(st.what)))
	case "tell":
		s.ask("message", st.what, p.saying(s, chat.PrivateConversation(s.user, st.what)))
	case "wait":
		return s.await(s.answered)
	case "close":
		s.close()
		delete(p.open, st.conn)
	default:
		panic("enginetest: a script cannot " + st.verb)
	}
	return nil
}

// saying makes something new to be said.
func (p *performance) saying(s *socket, c chat.Conversation) (content string) {
	p.said = append(p.said, saying{by: s, in: c, step: p.step})
	return fmt.Sprint(len(p.said) - 1)
}

// enter opens a connection, and returns when its auth is answered.
func (p *performance) enter(st step) error {
	s := &socket{p: p, user: st.what, opened: p.step}
	s.conn = p.hubs[st.node].Open(s, chat.ConnectionInfo{})
	p.open[st.conn] = s
	p.all = append(p.all, s)
	s.asked++
	s.conn.Handle(frame.Text, []byte(`{"type":"auth","token":"`+s.user+`","features":["ack","system"],"ref":"auth"}`))
	return s.await(s.answered)
}

// names authenticates a token as the user of the same name.
type names struct{}

func (names) Authenticate(token string) (chat.Identity, error) {
	return chat.Identity{UserID: token}, nil
}
