package enginetest

import (
	"errors"
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
)

// stage is where scripts are played: an engine in a new place for each, and the faults planted
// between it, the hubs and the connections to see whether the model notices.
type stage struct {
	newPlace func(*testing.T) Place
	engine   func(chat.Engine) chat.Engine // nil: as it is
	fanout   func() chat.Fanout            // nil: newFan
	send     func(s *socket, ev event)     // nil: socket.hear
	patience time.Duration                 // how long to wait for what must happen
}

// forgetter is an engine's Log that can lose a conversation, whose next epoch begins.
type forgetter interface{ Forget(chat.Conversation) }

// A client that resumes is told to read the history if it has missed more than this many messages,
// of a conversation and in all.
const (
	resumeBound    = 6
	resumeBoundAll = 10
)

// seeded is a Place whose engine acts at random.
type seeded interface{ Seed(uint64) }

// play plays a script on two nodes of one engine, and returns what went wrong. For a script and a
// seed everything is the same each time except the order in which goroutines run.
func (g *stage) play(t *testing.T, s script, seed uint64) error {
	place := g.newPlace(t)
	if p, ok := place.(seeded); ok {
		p.Seed(seed)
	}
	clock := &Clock{wall: start}
	engine := place.Open(t, clock)
	defer place.Close(t)
	p := &performance{stage: g, Engine: engine, clock: clock, open: make(map[int]*socket), away: make(map[int]*client), without: make(map[string][]int64), banned: make(map[string]bool), deleted: make(map[string]bool), lost: make(map[chat.Conversation]bool)}
	for _, id := range people {
		if err := p.register(id); err != nil {
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
		p.hubs = append(p.hubs, chat.New(chat.Config{
			Engine: engine, Auth: names{}, NewFanout: fanout, Log: slog.New(slog.DiscardHandler), Sequencers: 3,
			Pages: chat.Pages{Resume: resumeBound, ResumeAll: resumeBoundAll, ResumePage: 2},
		}))
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
	hubs  []*chat.Hub
	clock *Clock
	open  map[int]*socket // by the script's number
	away  map[int]*client // those that have had a connection, by the same number
	all   []*socket
	step  int
	said  []saying
	time  atomic.Int64 // of notes

	logins  []*login
	without map[string][]int64 // when a guest had no session, and was found to be a member of no room
	endings []ending
	banned  map[string]bool
	deleted map[string]bool            // at any time
	lost    map[chat.Conversation]bool // those that were forgotten

	mu   sync.Mutex
	fans []*fan // Guarded by mu.
}

// saying is a message that a connection sent, or tried to.
type saying struct {
	by   string
	in   chat.Conversation
	step int
}

func (p *performance) run(s script) error {
	for i, st := range s {
		p.step = i
		p.clock.Pass(time.Millisecond)
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

// end waits until all have heard everything, and then sends a last message in every room.
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

// settle waits until all have heard everything.
func (p *performance) settle() error {
	for _, s := range p.sockets() {
		if err := p.await(s, s.answered); err != nil {
			return err
		}
	}
	if err := p.settleSessions(); err != nil {
		return err
	}
	if err := p.settleGuests(); err != nil {
		return err
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
		lacks := ""
		err := p.await(s, func() bool {
			lacks = p.lacking(s, histories, members)
			return lacks == ""
		})
		if err != nil {
			return fmt.Errorf("%s: %w", lacks, err)
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

// await waits until something is true of a connection, or the hub has closed it for a valid
// reason.
func (p *performance) await(s *socket, holds func() bool) error {
	err := s.await(holds)
	var closed closedError
	if errors.As(err, &closed) {
		return p.closedByHub()
	}
	return err
}

func (p *performance) do(st step) error {
	if err := p.closedByHub(); err != nil {
		return err
	}
	switch s, c := p.open[st.conn], p.away[st.conn]; {
	case st.verb == "forget":
		if f, ok := p.Log.(forgetter); ok {
			f.Forget(chat.RoomConversation(st.what))
			p.lost[chat.RoomConversation(st.what)] = true
		}
		return nil
	case st.verb == "pass":
		if err := p.settle(); err != nil {
			return err
		}
		before, at := p.Log.Now(), p.time.Load()
		p.clock.Pass(20 * time.Minute)
		p.noteExpiries(at)
		if passed := p.Log.Now() - before; passed != (20 * time.Minute).Milliseconds() {
			return fmt.Errorf("for the engine, %d ms have passed", passed)
		}
		return nil
	case st.verb == "ban" || st.verb == "unban" || st.verb == "delete":
		return p.administer(st)
	case s != nil:
		return p.act(s, st)
	case st.verb == "open":
		return p.enter(st)
	case st.verb == "share":
		return p.share(st)
	case st.verb == "resume" && c != nil:
		return p.back(st, c)
	case st.verb == "lose" && c != nil:
		p.lose(st, c)
	}
	return nil
}

// act does a step of an open connection.
func (p *performance) act(s *socket, st step) error {
	switch st.verb {
	case "join", "leave", "unsubscribe":
		s.ask(st.verb, st.what, "")
	case "say":
		s.ask("group", st.what, p.saying(s, chat.RoomConversation(st.what)))
	case "tell":
		s.ask("message", st.what, p.saying(s, chat.PrivateConversation(s.user, st.what)))
	case "logout":
		p.logOut(s, st)
	case "wait":
		return p.await(s, s.answered)
	case "close":
		return p.leave(st.conn)
	}
	return nil
}

// saying makes a new message.
func (p *performance) saying(s *socket, c chat.Conversation) (content string) {
	p.said = append(p.said, saying{by: s.user, in: c, step: p.step})
	return fmt.Sprint(len(p.said) - 1)
}
