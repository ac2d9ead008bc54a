package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"sync"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/frame"
)

// screen is where messages and notices are shown. It may be used by several
// goroutines; what one call shows stays together.
type screen struct {
	terminal bool // out is one. Immutable.

	// Guarded by mu.
	mu       sync.Mutex
	out, err io.Writer
	failed   error // the first failure to write to out
}

func newScreen(out, err io.Writer) *screen {
	return &screen{terminal: terminal.Is(out), out: out, err: err}
}

// message shows a message: a text on a line of its own, binary as it is. On a
// terminal a text takes exactly one line, and binary is dumped.
func (s *screen) message(op frame.Opcode, p []byte) error {
	switch {
	case op == frame.Binary && s.terminal:
		return s.write([]byte(hex.Dump(p)))
	case op == frame.Binary:
		return s.write(p)
	case s.terminal:
		return s.write([]byte(terminal.Escape(string(p)) + "\n"))
	}
	return s.write(append(p[:len(p):len(p)], '\n'))
}

// write writes to standard output. After a failure nothing more is written.
func (s *screen) write(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil && len(p) > 0 {
		if _, err := s.out.Write(p); err != nil {
			s.failed = fmt.Errorf("standard output: %w", err)
		}
	}
	return s.failed
}

// failure is why standard output could not be written, or nil.
func (s *screen) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// notice tells the user something, on one line. Whatever a peer or a file put
// into it is escaped.
func (s *screen) notice(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.err, "wscat:", terminal.Escape(fmt.Sprintf(format, args...)))
}
