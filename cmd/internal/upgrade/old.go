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
	// finishTime is how long what has begun, such as HTTP requests, may take before an upgrade
	// is refused.
	finishTime = 2 * time.Second

	// startPoll is how often to look whether the server listens.
	startPoll = 10 * time.Millisecond

	// closeTime is how long connections that cannot move have to be closed.
	closeTime = time.Second
)

// App is what a program does beside its Server.
type App interface {
	// Freeze stops what the program does by itself. It is called before the Server is frozen. If
	// it returns an error, nothing has changed.
	Freeze(ctx context.Context) error

	// Send sends what the program has to hand over, with kinds below 0x80. The Server is
	// frozen.
	Send(g *handover.Giver) error

	// Ready is called when everything has been sent, with the process that is about to take over.
	// Undone is called if it has not.
	Ready(pid int) error
	Undone()

	// Thaw goes on as if nothing had happened.
	Thaw()
}

// Program can replace itself.
type Program struct {
	path      string
	listeners int
	formats   []handover.Format
	mu        sync.Mutex // held during an upgrade
}

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
// closing what could not move, which the report counts and Run has done. If there is an error, this one goes on.
// app may be nil.
func (p *Program) Run(s *server.Server, app App) (report server.FreezeReport, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if app == nil {
		app = noApp{}
	}
	g, err := handover.Start(handover.Config{Path: p.path, Formats: p.formats})
	if err != nil {
		return report, err
	}
	defer func() { g.Abort(errOf(err)) }() // no effect after Commit
	ctx, cancel := context.WithTimeout(context.Background(), finishTime)
	defer cancel()
	if err = app.Freeze(ctx); err != nil {
		return report, err
	}
	f, err := p.freeze(ctx, s)
	if err != nil {
		app.Thaw()
		return report, err
	}
	report = f.Report()
	if err = handOver(g, f, app); err != nil {
		f.Thaw()
		app.Thaw()
		return report, err
	}
	ctx, cancelClosing := context.WithTimeout(context.Background(), closeTime)
	defer cancelClosing()
	f.Finish(ctx) // clients that have not answered by then are cut off
	return report, nil
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

func handOver(g *handover.Giver, f *server.Frozen, app App) error {
	if err := app.Send(g); err != nil {
		return err
	}
	for m, err := range f.Messages(g.Versions()[server.StateFormat.Name]) {
		if err != nil {
			return err
		}
		if err := g.Send(m.Kind, m.Data, m.Descriptors...); err != nil {
			return err
		}
	}
	if err := app.Ready(g.PID()); err != nil {
		return err
	}
	if err := g.Commit(); err != nil {
		app.Undone()
		return err
	}
	return nil
}

func errOf(err error) error {
	if err == nil {
		return context.Canceled
	}
	return err
}

// noApp is an App with nothing to do.
type noApp struct{}

func (noApp) Freeze(context.Context) error { return nil }
func (noApp) Send(*handover.Giver) error   { return nil }
func (noApp) Ready(int) error              { return nil }
func (noApp) Undone()                      {}
func (noApp) Thaw()                        {}
