package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hawser-ws/hawser/wsproto"
)

// Exit statuses, as the usage describes them.
const (
	exitInOrder      = 0
	exitNotConnected = 1
	exitUsage        = 2
	exitClosed       = 3
	exitNoClose      = 4
	exitFailed       = 5
	exitNoMessage    = 6
	exitStreams      = 7
)

// ending is how a connection ended.
type ending struct {
	code   wsproto.CloseCode // of the peer's Close or, if it failed, of ours; CloseAbnormal if there was none
	reason string            // of the peer's Close
	own    bool              // this side had sent its Close before
	failed *wsproto.PeerError
	lost   error // why there was no Close
	inside bool  // the connection ended in the middle of a message
}

// status is the exit status. own is the code this side closes with.
func (e *ending) status(own wsproto.CloseCode) int {
	switch {
	case e.failed != nil:
		return exitFailed
	case e.code == wsproto.CloseAbnormal:
		return exitNoClose
	case e.inside:
		return exitClosed
	case e.code == wsproto.CloseNormal, e.code == wsproto.CloseGoingAway, e.code == wsproto.CloseNoStatus:
		return exitInOrder
	case e.own && e.code == own:
		return exitInOrder
	}
	return exitClosed
}

// String describes the ending to the user.
func (e *ending) String() string {
	switch {
	case e.failed != nil && e.failed.Code == wsproto.CloseMessageTooBig:
		return fmt.Sprintf("closed with %v: %s (--max-message)", e.code, e.failed.Reason)
	case e.failed != nil:
		return fmt.Sprintf("the other side violated the protocol: %s; closed with %v", e.failed.Reason, e.code)
	case e.code == wsproto.CloseAbnormal:
		return e.abnormal()
	}
	text := "closed by the other side"
	if e.own {
		text = "closed, answered"
	}
	text += " with " + e.code.String()
	if e.reason != "" {
		text += fmt.Sprintf(", reason %q", e.reason)
	}
	if e.inside {
		text += ", in the middle of a message"
	}
	return text
}

// abnormal describes an ending without a Close.
func (e *ending) abnormal() string {
	where := ""
	if e.inside {
		where = " in the middle of a message"
	}
	switch {
	case errors.Is(e.lost, os.ErrDeadlineExceeded):
		return fmt.Sprintf("no Close from the other side in time%s (1006; --close-timeout)", where)
	case e.lost == io.EOF:
		return fmt.Sprintf("the other side ended the connection without a Close%s (1006)", where)
	}
	return fmt.Sprintf("connection lost%s (1006): %v", where, e.lost)
}

// conclude tells the user how the session ended, and returns the exit status. With
// --once, which scripts use, it reports only failures.
func (s *session) conclude(e ending) int {
	status := e.status(s.o.closeCode)
	if status != exitInOrder || !s.o.once {
		s.screen.notice("%v", &e)
	}
	for _, err := range []error{s.inputErr, s.screen.failure()} {
		if err != nil {
			s.screen.notice("%v", err)
			status = exitStreams
		}
	}
	// The reader has ended: nothing below changes any more.
	if s.unsent {
		s.screen.notice("the connection ended before all of the input was sent")
		if status == exitInOrder {
			status = exitStreams
		}
	}
	if status == exitInOrder && s.o.once && !s.shown {
		if s.gaveUp {
			s.screen.notice("no message came within %v (--wait)", s.o.wait)
		} else {
			s.screen.notice("no message came")
		}
		return exitNoMessage
	}
	return status
}
