package upgrade

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/server/handover"
)

// Successor is what a new process does beside its Server. Its methods are called in this order.
type Successor interface {
	// Receive takes a message of the old process's App. They come in the order in which they were
	// sent, Send's before the connections and SendLast's after them.
	Receive(m handover.Message) error

	// Complete is called when everything is there, before this process takes over.
	Complete() error

	// Start is called when this process has taken over, before its connections go on.
	Start()
}

// Inherit returns the new process's side of an upgrade, or nil if this process was started in the
// ordinary way. It must be called when the settings have been read and are right.
func (p *Program) Inherit() (*handover.Taker, error) {
	t, err := handover.Inherit(p.formats)
	if t != nil {
		p.calm = delayGC()
	}
	return t, err
}

// Take receives everything and takes over. s is a new Server. app may be nil. If
// there is an error, the old process goes on, and this one must exit.
func (p *Program) Take(t *handover.Taker, s *server.Server, app Successor) ([]net.Listener, error) {
	if app == nil {
		app = noSuccessor{}
	}
	th, err := s.Thaw()
	if err == nil {
		if err = take(t, th, app); err == nil {
			err = app.Complete()
		}
	}
	if err != nil {
		t.Refuse(err)
		return nil, err
	}
	if err := t.Commit(); err != nil {
		return nil, err
	}
	app.Start()
	time.AfterFunc(calmTime, p.calm)
	return th.Start(), nil
}

func take(t *handover.Taker, th *server.Thawing, app Successor) error {
	for {
		m, err := t.Receive()
		if err == io.EOF {
			return th.Complete()
		}
		if err != nil {
			return err
		}
		ours, err := th.Receive(m)
		if err != nil {
			return err
		}
		if ours {
			continue
		}
		if err := app.Receive(m); err != nil {
			return err
		}
	}
}

// UnknownKind is the error for a message that no App of this program sends.
func UnknownKind(m handover.Message) error {
	return fmt.Errorf("upgrade: a message of the unknown kind %d", m.Kind)
}

// noSuccessor has nothing to do.
type noSuccessor struct{}

func (noSuccessor) Receive(m handover.Message) error { return UnknownKind(m) }
func (noSuccessor) Complete() error                  { return nil }
func (noSuccessor) Start()                           {}
