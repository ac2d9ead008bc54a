package enginetest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
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
	fanout := g.fanout
	if fanout == nil {
		fanout = p.newFan
	}
	for range 2 {
		p.hubs = append(p.hubs, chat.New(chat.Config{Engine: engine, Auth: names{}, NewFanout: fanout, Log: slog.New(slog.DiscardHandler), Sequencers: 3}))
	}
	err := p.run(s)
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
	for _, s := range p.open {
		if err := s.await(s.answered); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return p.settle()
}

// settle waits until everybody has heard everything.
func (p *performance) settle() error {
	histories, err := p.histories()
	if err != nil {
		return err
	}
	for _, s := range p.open {
		if err := s.await(func() bool { return p.complete(s, histories) }); err != nil {
			return fmt.Errorf("at the end: %w", err)
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
	case "join", "leave":
		s.ask(st.verb, st.what, "", chat.RoomConversation(st.what))
	case "say":
		s.ask("group", st.what, p.saying(s, chat.RoomConversation(st.what)), chat.RoomConversation(st.what))
	case "tell":
		c := chat.PrivateConversation(s.user, st.what)
		s.ask("message", st.what, p.saying(s, c), c)
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
	s.conn.Handle(frame.Text, []byte(`{"type":"auth","token":"`+s.user+`","features":["ack"],"ref":"auth"}`))
	return s.await(s.answered)
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

// newFan is a fan that belongs to a performance.
func (p *performance) newFan() chat.Fanout {
	f := newFan()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fans = append(p.fans, f.(*fan))
	return f
}

// members counts who is in any fan, once for each.
func (p *performance) members() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.fans {
		f.mu.Lock()
		n += len(f.sockets)
		f.mu.Unlock()
	}
	return n
}

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

// socket is a connection whose other end is the test. It notes what it asks and hears, in
// order.
type socket struct {
	p      *performance
	user   string
	conn   *chat.Connection
	opened int // at which step

	mu sync.Mutex
	// Guarded by mu.
	notes    []event
	asked    int
	answers  int
	closed   bool
	broken   string  // how the hub closed it
	withheld []event // by a stage
}

// event is what the model needs of a message. Type is "ask" for what the socket asked.
type event struct {
	Type, Op, Ref string
	Event         string
	Sender        string `json:"sender_id"`
	Receiver      string `json:"receiver_id"`
	Content       string
	ID            string
	Epoch         string
	Seq           uint64
	Reason        string
	Message       string
}

// SendPrepared implements chat.Socket.
func (s *socket) Buffered() int { return 0 }

func (s *socket) SendPrepared(m *wsproto.Prepared) error {
	var ev event
	if err := json.Unmarshal(m.Payload(), &ev); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if s.p.send != nil {
		s.p.send(s, ev)
	} else {
		s.hear(ev)
	}
	return nil
}

// hear notes a message. Called with mu held.
func (s *socket) hear(ev event) {
	s.notes = append(s.notes, ev)
	if ev.Ref != "" {
		s.answers++
	}
}

// Close implements chat.Socket.
func (s *socket) Close(code wsproto.CloseCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = fmt.Sprintf("closed with %d %s", code, reason)
}

// Pause implements chat.Socket.
func (s *socket) Pause(bool) {}

// ask sends something that will be answered. Its ref is its content, or a number.
func (s *socket) ask(op, receiver, content string, c chat.Conversation) {
	s.mu.Lock()
	ref := content
	if ref == "" {
		ref = fmt.Sprint("ask ", s.asked)
	}
	s.asked++
	s.notes = append(s.notes, event{Type: "ask", Op: op, Receiver: receiver, Content: content, Ref: ref})
	s.mu.Unlock()
	body := `{"type":"` + op + `","receiver_id":"` + receiver + `","ref":"` + ref + `"`
	if content != "" {
		body += `,"content":"` + content + `"`
	}
	s.conn.Handle(frame.Text, []byte(body+"}"))
}

func (s *socket) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.conn.Closed()
}

// answered is what a connection waits for. Called with mu held.
func (s *socket) answered() bool { return s.answers >= s.asked }

// await waits until something is true, which is asked with mu held.
func (s *socket) await(holds func() bool) error {
	for deadline := time.Now().Add(s.p.patience); ; time.Sleep(100 * time.Microsecond) {
		s.mu.Lock()
		ok, broken := holds(), s.broken
		s.mu.Unlock()
		switch {
		case ok:
			return nil
		case broken != "":
			return fmt.Errorf("%s: %s", s.user, broken)
		case time.Now().After(deadline):
			s.mu.Lock()
			defer s.mu.Unlock()
			return fmt.Errorf("%s waited in vain, having noted %s", s.user, s.story())
		}
	}
}

// story is what a socket has noted, for people. Called with mu held.
func (s *socket) story() string {
	text := ""
	for _, ev := range s.notes {
		text += "\n\t"
		switch ev.Type {
		case "ask":
			text += fmt.Sprint("asks ", ev.Op, " ", ev.Receiver, " ", ev.Content)
		case "error":
			text += fmt.Sprint("error ", ev.Reason, " to ", ev.Ref, ": ", ev.Message)
		default:
			text += fmt.Sprintf("%s %s %s of %s in %s: %q, seq %d of %s, ref %s", ev.Type, ev.Op+ev.Event, ev.ID, ev.Sender, ev.Receiver, ev.Content, ev.Seq, ev.Epoch, ev.Ref)
		}
	}
	return text
}
