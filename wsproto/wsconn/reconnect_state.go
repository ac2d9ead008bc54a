package wsconn

import (
	"fmt"
	"time"
)

// State is what a Reconnector is doing.
type State uint8

const (
	StateConnecting State = iota // in Dial or Resume
	StateOpen                    // messages go both ways
	StateWaiting                 // for the next attempt
	StateStopped                 // Run is about to return
)

func (s State) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateOpen:
		return "open"
	case StateWaiting:
		return "waiting"
	case StateStopped:
		return "stopped"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Change is one change of a Reconnector's state.
type Change struct {
	State    State
	Err      error         // with StateWaiting and StateStopped: why the attempt, the connection or Run ended
	Failures int           // with StateConnecting and StateWaiting: how many there were in a row
	Delay    time.Duration // with StateWaiting: until the next attempt
}

// setCurrent makes Send use c, or wait for the next connection if c is nil. If stopped is
// not nil, there will be none.
func (r *Reconnector) setCurrent(c *Conn, stopped error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = c
	if stopped != nil {
		r.stopped = fmt.Errorf("%w: %w", ErrClosed, stopped)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}
