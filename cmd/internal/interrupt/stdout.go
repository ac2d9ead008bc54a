package interrupt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Stdout is standard output of which the reader may go away, as in "| head". The
// usual effect of that is that the program is gone at its next line, with what it has
// measured, and without its children having been ended. Here it interrupts the run.
type Stdout struct {
	f   *os.File
	end context.CancelCauseFunc

	// Guarded by mu.
	mu     sync.Mutex
	gone   bool
	failed error // the first failure of another kind
}

// NewStdout makes the run that end belongs to survive a reader that goes away. end is
// called with the cause when it does. It also makes this process immune to SIGPIPE:
// a closed standard error is no reason to end.
func NewStdout(f *os.File, end context.CancelCauseFunc) *Stdout {
	// Caught, not ignored: what is ignored would be so in children, too. Nobody
	// reads the channel: each write that fails says so itself.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return &Stdout{f: f, end: end}
}

// File is what is written to.
func (s *Stdout) File() *os.File { return s.f }

// Write writes, or drops what nobody reads.
func (s *Stdout) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	if err == nil {
		return n, nil
	}
	s.mu.Lock()
	if !errors.Is(err, syscall.EPIPE) {
		s.failed = cmp.Or(s.failed, err)
		s.mu.Unlock()
		return n, err
	}
	s.gone = true
	s.mu.Unlock()
	s.end(&Error{syscall.SIGPIPE})
	return len(p), nil
}

// Status is the exit status of a program that would exit with another one: the reader
// that went away has the last word. Where something could not be written, as on a full
// disk, nobody must take what there is for all: status unwritten stands for otherwise if
// that is 0, and err says why.
func (s *Stdout) Status(otherwise, unwritten int) (status int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gone:
		return (&Error{syscall.SIGPIPE}).Status(), nil
	case s.failed == nil:
		return otherwise, nil
	case otherwise == 0:
		otherwise = unwritten
	}
	return otherwise, fmt.Errorf("standard output: %w", s.failed)
}
