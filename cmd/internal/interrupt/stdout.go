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

// Stdout is a standard output whose reader may go away, as in "| head". Normally the program
// would then be killed at its next line: its measurements would be lost, and its children would
// not be ended. With Stdout, the run is interrupted instead.
type Stdout struct {
	f   *os.File
	end context.CancelCauseFunc

	// Guarded by mu.
	mu     sync.Mutex
	gone   bool
	failed error // the first failure of another kind
}

// NewStdout returns a Stdout that calls end, with the cause, when the reader goes away. It also
// makes this process ignore SIGPIPE, so a closed standard error does not end it.
func NewStdout(f *os.File, end context.CancelCauseFunc) *Stdout {
	// Caught, not ignored: ignored signals would also be ignored in children. The channel
	// need not be read, because the write itself fails.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return &Stdout{f: f, end: end}
}

// File returns the underlying file.
func (s *Stdout) File() *os.File { return s.f }

// Write writes p, or drops it if the reader is gone.
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

// Status returns the exit status of a program that would otherwise exit with the status
// otherwise. If the reader has gone away, it is that of SIGPIPE. If something could not be
// written, as on a full disk, the incomplete output must not be taken for all of it: a status
// of 0 is replaced by unwritten, and err says why.
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
