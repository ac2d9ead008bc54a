package interrupt

import (
	"context"
	"errors"
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

	mu   sync.Mutex
	gone bool // Guarded by mu.
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
	if !errors.Is(err, syscall.EPIPE) {
		return n, err
	}
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	s.end(&Error{syscall.SIGPIPE})
	return len(p), nil
}

// Status is the exit status of a program that would exit with another one: the reader
// that went away has the last word.
func (s *Stdout) Status(otherwise int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return (&Error{syscall.SIGPIPE}).Status()
	}
	return otherwise
}
