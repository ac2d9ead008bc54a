package client

import (
	"fmt"
	"time"
)

// State is what a Reconnector is doing.
type State uint8

const (
	StateConnecting State = iota // making a connection, and resuming
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
	Err      error         // of Waiting and Stopped: why the attempt, the connection or Run ended
	Failures int           // of Connecting and Waiting: how many there have been in a row
	Delay    time.Duration // of Waiting: until the next attempt
}

// publish has Send use c, or wait for another if it is nil. stopped is why there
// will be none.
func (r *Reconnector) publish(c *Conn, stopped error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = c
	if stopped != nil {
		r.stopped = fmt.Errorf("%w: %w", ErrClosed, stopped)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}
