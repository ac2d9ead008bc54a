package enginetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hawser-ws/hawser/chat"
)

// resumeFaults are the faults of sessions and resuming, for TestModelFindsFaults.
var resumeFaults = []fault{
	{"resume skips a message", func(g *stage) { g.send = answers(skipOne) }},
	{"resume brings a message that is heard again", func(g *stage) { g.send = answers(hearAgain) }},
	{"what is said after resume is missed once", func(g *stage) { g.send = missOne }},
	{"resume says reload without a reason", func(g *stage) { g.send = answers(reloadInstead) }},
	{"resume says gone of a room of the user", func(g *stage) { g.send = answers(goneInstead) }},
	{"resume does not tell what is new", func(g *stage) { g.send = answers(notNew) }},
	{"resume brings a page of another conversation", func(g *stage) { g.send = answers(anotherRoom) }},
	{"a stored change is not read", func(g *stage) { g.log(func(l *liar) { l.skips = true }) }},
	{"a key is good that was used", func(g *stage) { g.sessions(func(s *careless) { s.anyKey = true }) }},
	{"a session is resumed that has ended", func(g *stage) { g.sessions(func(s *careless) { s.revives = true }) }},
	{"a session is refused that is alive", func(g *stage) { g.sessions(func(s *careless) { s.refuses = true }) }},
	{"a session does not end", func(g *stage) { g.sessions(func(s *careless) { s.endless = true }) }},
	{"the end of a connection is not counted", func(g *stage) { g.sessions(func(s *careless) { s.keeps = true }) }},
	{"the end of a session is not told at one node", func(g *stage) { g.broker(func(b *faulty) { b.endsAtOne = true }) }},
	{"a token is good after a logout everywhere", func(g *stage) {
		g.engine = func(e chat.Engine) chat.Engine {
			e.Directory = validForever{e.Directory}
			return e
		}
	}},
}

// fault is something that the model must find.
type fault struct {
	name  string
	plant func(*stage)
}

// answers changes every third answer to resume that the given change applies to.
func answers(change func(s *socket, ev event) (changed bool)) func(*socket, event) {
	var n atomic.Int32
	return func(s *socket, ev event) {
		if ev.Type != "resume" || n.Add(1)%3 != 0 || !change(s, ev) {
			s.hear(ev)
		}
	}
}

func skipOne(s *socket, ev event) bool {
	if len(ev.Messages) < 2 {
		return false
	}
	ev.Messages = ev.Messages[1:]
	s.hear(ev)
	return true
}

func hearAgain(s *socket, ev event) bool {
	if len(ev.Messages) == 0 || ev.HasMore {
		return false
	}
	s.hear(ev)
	s.hear(ev.Messages[len(ev.Messages)-1])
	return true
}

func reloadInstead(s *socket, ev event) bool {
	if len(ev.Messages) == 0 || ev.HasMore {
		return false
	}
	last := ev.Messages[len(ev.Messages)-1]
	s.hear(event{Type: "resume", Status: "reload", Receiver: ev.Receiver, Seq: last.Seq, Epoch: last.Epoch, Position: last.Position})
	return true
}

func goneInstead(s *socket, ev event) bool {
	if len(ev.Messages) == 0 || ev.Messages[0].Type != "group" || ev.HasMore {
		return false
	}
	s.hear(event{Type: "resume", Status: "gone", Receiver: ev.Receiver})
	return true
}

func notNew(_ *socket, ev event) bool { return ev.Status == "new" }

func anotherRoom(s *socket, ev event) bool {
	if len(ev.Messages) == 0 || ev.Messages[0].Type != "group" {
		return false
	}
	for _, room := range rooms {
		if room != ev.Receiver {
			ev.Receiver = room
		}
	}
	s.hear(ev)
	return true
}

// missOne drops the first message after the end of a resume, every third time.
func missOne(s *socket, ev event) {
	if ev.Type == "resume" && ev.Status == "done" {
		s.withheld = []event{ev}
	}
	if len(s.withheld) > 0 && ev.Type == "group" {
		if s.withheld = nil; ev.Seq%3 == 0 {
			return
		}
	}
	s.hear(ev)
}

func (g *stage) sessions(plant func(*careless)) {
	g.engine = func(e chat.Engine) chat.Engine {
		s := &careless{Sessions: e.Sessions, known: make(map[string]chat.Session)}
		plant(s)
		e.Sessions = s
		return e
	}
}

// careless is a Sessions that does not keep the contract.
type careless struct {
	chat.Sessions
	n                                        atomic.Int32
	anyKey, revives, refuses, endless, keeps bool

	mu    sync.Mutex
	known map[string]chat.Session // Guarded by mu.
}

func (s *careless) Begin(ctx context.Context, session chat.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[session.ID] = session
	return s.Sessions.Begin(ctx, session)
}

func (s *careless) Resume(ctx context.Context, id string, key, next chat.KeyHash, from chat.Origin) (chat.Session, error) {
	if s.refuses && s.n.Add(1)%4 == 0 {
		return chat.Session{}, chat.ErrSessionRefused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	got, err := s.Sessions.Resume(ctx, id, key, next, from)
	known := s.known[id]
	if errors.Is(err, chat.ErrSessionRefused) && s.anyKey {
		got, err = s.Sessions.Resume(ctx, id, known.Key, next, from)
	}
	if errors.Is(err, chat.ErrSessionRefused) && s.revives && key == known.Key {
		known.Key = next
		got, err = known, s.Sessions.Begin(ctx, known)
	}
	if err == nil {
		s.known[id] = got
	}
	return got, err
}

func (s *careless) End(ctx context.Context, userID, id string, why chat.Ending) (int, error) {
	if s.endless {
		return 1, nil
	}
	return s.Sessions.End(ctx, userID, id, why)
}

func (s *careless) Release(id string) {
	if !s.keeps || s.n.Add(1)%5 != 0 {
		s.Sessions.Release(id)
	}
}

// validForever is a Directory that does not store that tokens are revoked.
type validForever struct{ chat.Directory }

func (d validForever) ChangeUser(ctx context.Context, id string, c chat.UserChange) (chat.User, error) {
	c.ValidFrom = 0
	return d.Directory.ChangeUser(ctx, id, c)
}
