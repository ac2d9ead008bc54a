package upgrade

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/server/handover"
)

const (
	// finishTime is how long work that has begun, such as HTTP requests, may take before an upgrade
	// is refused.
	finishTime = 2 * time.Second

	// startPoll is how often to look whether the server listens.
	startPoll = 10 * time.Millisecond

	// closeTime is how long connections that cannot move have to be closed.
	closeTime = time.Second
)

// App is what a program does beside its Server. Its methods are called in this order; Thaw instead of what
// is left if anything fails.
type App interface {
	// Freeze stops what the program begins by itself, and for its connections. If it returns an
	// error, nothing has changed.
	Freeze(ctx context.Context) error

	// Rest waits until what is under way has ended. The Server is frozen; for what is sent
	// to its connections meanwhile, Rest calls Settle.
	Rest(ctx context.Context, f *server.Frozen) error

	// Send sends what the new process needs before the connections, with kinds below 0x80, and
	// SendLast what it needs after them.
	Send(g *handover.Giver) error
	SendLast(g *handover.Giver) error

	// Thaw goes on as if nothing had happened.
	Thaw()
}

// Program can replace itself.
type Program struct {
	path      string
	listeners int
	formats   []handover.Format
	calm      func()     // in a new process, ends delayGC
	mu        sync.Mutex // held during an upgrade
}

// Report says what an upgrade has done.
type Report struct {
	server.FreezeReport
	PID    int           // of the new process
	Pause  time.Duration // from when the program froze until the new process took over
	Phases Phases        // of the pause
}

// Phases is how long the parts of a pause took, in this order.
type Phases struct {
	Stop        time.Duration // until nothing is begun any more
	Rest        time.Duration // until everything that was under way has ended, and is stored
	State       time.Duration // until the new process has the state that does not belong to a single connection
	Connections time.Duration // until it has all connections
	Commit      time.Duration // until it has taken over
}

// Ended is how many connections have ended, because they could not move.
func (r *Report) Ended() int { return r.TLS + r.Others + r.HTTP }

// New must be called when the program starts: it remembers where the binary is. The program serves
// on so many listeners; an upgrade before that has to wait. The formats are the App's.
func New(listeners int, formats ...handover.Format) (*Program, error) {
	path, err := handover.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's file: %w", err)
	}
	return &Program{path: path, listeners: listeners, formats: append([]handover.Format{server.StateFormat}, formats...)}, nil
}

// Run lets a new process take over. If the error is nil, it has: this process must exit at once, after
// it has called finish, which closes what could not move. If there is an error, this one goes on.
// app may be nil.
func (p *Program) Run(s *server.Server, app App) (report Report, finish func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if app == nil {
		app = noApp{}
	}
	g, err := handover.Start(handover.Config{Path: p.path, Formats: p.formats})
	if err != nil {
		return report, nil, err
	}
	defer func() { g.Abort(errOf(err)) }() // no effect after Commit
	usualGC := delayGC()
	defer func() {
		if err != nil {
			usualGC()
		}
	}()
	began := time.Now()
	var at phases
	ctx, cancel := context.WithTimeout(context.Background(), finishTime)
	defer cancel()
	if err = app.Freeze(ctx); err != nil {
		return report, nil, err
	}
	f, err := p.freeze(ctx, s)
	if err != nil {
		app.Thaw()
		return report, nil, err
	}
	at.stopped = time.Now()
	if err = handOver(ctx, g, f, app, &at); err != nil {
		f.Thaw()
		app.Thaw()
		return report, nil, err
	}
	report = Report{f.Report(), g.PID(), time.Since(began), at.since(began)}
	return report, func() {
		if report.Ended() == 0 {
			return // the end of the process closes its share of the rest
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		f.Finish(ctx) // clients that have not answered by then are cut off
	}, nil
}

// freeze freezes s once it serves.
func (p *Program) freeze(ctx context.Context, s *server.Server) (*server.Frozen, error) {
	for {
		f, err := s.Freeze(ctx)
		if err != nil || f.Report().Listeners >= p.listeners {
			return f, err
		}
		f.Thaw()
		select {
		case <-time.After(startPoll):
		case <-ctx.Done():
			return nil, errors.New("upgrade: the server does not listen yet")
		}
	}
}

// phases is when the phases of a pause ended.
type phases struct{ stopped, rested, state, connections time.Time }

func (p *phases) since(began time.Time) Phases {
	return Phases{Stop: p.stopped.Sub(began), Rest: p.rested.Sub(p.stopped), State: p.state.Sub(p.rested),
		Connections: p.connections.Sub(p.state), Commit: time.Since(p.connections)}
}

func handOver(ctx context.Context, g *handover.Giver, f *server.Frozen, app App, at *phases) error {
	if err := app.Rest(ctx, f); err != nil {
		return err
	}
	at.rested = time.Now()
	if err := app.Send(g); err != nil {
		return err
	}
	at.state = time.Now()
	for m, err := range f.Messages(g.Versions()[server.StateFormat.Name]) {
		if err != nil {
			return err
		}
		if err := g.Send(m.Kind, m.Data, m.Descriptors...); err != nil {
			return err
		}
	}
	at.connections = time.Now()
	if err := app.SendLast(g); err != nil {
		return err
	}
	return g.Commit()
}

func errOf(err error) error {
	if err == nil {
		return context.Canceled
	}
	return err
}

// noApp is an App with nothing to do.
type noApp struct{}

func (noApp) Freeze(context.Context) error               { return nil }
func (noApp) Rest(context.Context, *server.Frozen) error { return nil }
func (noApp) Send(*handover.Giver) error                 { return nil }
func (noApp) SendLast(*handover.Giver) error             { return nil }
func (noApp) Thaw()                                      {}
