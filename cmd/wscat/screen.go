package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/frame"
)

// screen shows messages and notices. It may be used by several goroutines; the output of
// one call stays together.
type screen struct {
	terminal bool // out is one. Immutable.

	// Guarded by outMu.
	outMu  sync.Mutex
	out    io.Writer
	failed error // the first failure to write to out

	// Guarded by errMu, a lock of its own: if out blocks, notices must still be shown.
	errMu sync.Mutex
	err   io.Writer

	writing atomic.Int32 // calls that write
	written atomic.Int64 // calls that have written
}

func newScreen(out, err io.Writer) *screen {
	return &screen{terminal: terminal.Is(out), out: out, err: err}
}

// message shows a message: a text on a line of its own, binary unchanged. On a terminal a
// text takes exactly one line, and binary is shown as a hex dump.
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
	s.writing.Add(1)
	defer s.wrote()
	s.outMu.Lock()
	defer s.outMu.Unlock()
	if s.failed == nil && len(p) > 0 {
		if _, err := s.out.Write(p); err != nil {
			s.failed = fmt.Errorf("standard output: %w", err)
		}
	}
	return s.failed
}

// failure is why standard output could not be written, or nil.
func (s *screen) failure() error {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	return s.failed
}

func (s *screen) wrote() {
	s.writing.Add(-1)
	s.written.Add(1)
}

// busy reports whether something is being written, or waits to be. That takes long only
// if the output is not read.
func (s *screen) busy() bool { return s.writing.Load() > 0 }

// notice tells the user something, on one line. Control characters, which may be a
// peer's or a file's, are escaped.
func (s *screen) notice(format string, args ...any) {
	s.writing.Add(1)
	defer s.wrote()
	s.errMu.Lock()
	defer s.errMu.Unlock()
	fmt.Fprintln(s.err, "wscat:", terminal.Escape(fmt.Sprintf(format, args...)))
}
