package upgrade

import (
	"fmt"
	"io"
	"net"

	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/server/handover"
)

// Inherit returns the new process's side of an upgrade, or nil if this process was started in the
// ordinary way. It must be called when the settings have been read and are right.
func (p *Program) Inherit() (*handover.Taker, error) { return handover.Inherit(p.formats) }

// Take receives everything and takes over. s is a new Server. receive is given the
// App's messages, in the order in which its Send has sent them; it may be nil if there are none.
// check, which may be nil, is called when everything is there, before this process takes over. If
// there is an error, the old process goes on, and this one must exit.
func Take(t *handover.Taker, s *server.Server, receive func(handover.Message) error, check func() error) ([]net.Listener, error) {
	th, err := s.Thaw()
	if err != nil {
		t.Refuse(err)
		return nil, err
	}
	if err := take(t, th, receive); err != nil {
		t.Refuse(err)
		return nil, err
	}
	if check != nil {
		if err := check(); err != nil {
			t.Refuse(err)
			return nil, err
		}
	}
	if err := t.Commit(); err != nil {
		return nil, err
	}
	return th.Start(), nil
}

func take(t *handover.Taker, th *server.Thawing, receive func(handover.Message) error) error {
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
		if receive == nil {
			return fmt.Errorf("upgrade: a message of the unknown kind %d", m.Kind)
		}
		if err := receive(m); err != nil {
			return err
		}
	}
}
