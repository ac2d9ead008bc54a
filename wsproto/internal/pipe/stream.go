// Package pipe moves bytes in memory as a network does: in order, with a bounded buffer
// between writer and reader, and with deadlines.
package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Stream is one direction. Its methods may be called from any goroutine.
type Stream struct {
	limit int // Immutable. The maximum number of bytes that are written and not read.

	mu      sync.Mutex
	changed *sync.Cond // of anything below
	// Guarded by mu.
	b     []byte
	end   error // what Read returns after b; nil while more can be written
	deaf  bool  // nothing is read any more
	read  deadline
	write deadline
}

// NewStream returns a Stream that holds up to limit bytes.
func NewStream(limit int) *Stream {
	s := &Stream{limit: limit}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// Read waits for bytes and reads them.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.deaf:
			return 0, net.ErrClosed
		case s.read.passed:
			return 0, os.ErrDeadlineExceeded
		case len(s.b) > 0 || len(p) == 0:
			n := copy(p, s.b)
			s.b = s.b[n:]
			s.changed.Broadcast()
			return n, nil
		case s.end != nil:
			return 0, s.end
		}
		s.changed.Wait()
	}
}

// Write waits until all of p has found room.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.end != nil:
			return n, net.ErrClosed
		case s.deaf:
			return n, io.ErrClosedPipe
		case s.write.passed:
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		}
		if m := min(len(p), s.limit-len(s.b)); m > 0 {
			s.b = append(s.b, p[:m]...)
			p = p[m:]
			n += m
			s.changed.Broadcast()
			continue
		}
		s.changed.Wait()
	}
}

// CloseWrite ends the stream: once everything has been read, Read returns err. Only the
// first call counts.
func (s *Stream) CloseWrite(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = err
	}
	s.changed.Broadcast()
}

// CloseRead makes Read return net.ErrClosed, and Write io.ErrClosedPipe.
func (s *Stream) CloseRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
	s.b = nil
	s.changed.Broadcast()
}

// SetReadDeadline sets the time after which Read returns os.ErrDeadlineExceeded, as
// net.Conn does.
func (s *Stream) SetReadDeadline(t time.Time) { s.set(&s.read, t) }

// SetWriteDeadline is the same for Write.
func (s *Stream) SetWriteDeadline(t time.Time) { s.set(&s.write, t) }

// deadline is a time that may have passed.
type deadline struct {
	timer  *time.Timer // nil without one
	passed bool
}

func (s *Stream) set(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	left := time.Until(t)
	d.passed = !t.IsZero() && left <= 0
	if !t.IsZero() && left > 0 {
		var timer *time.Timer
		timer = time.AfterFunc(left, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d.timer == timer {
				d.passed = true
				s.changed.Broadcast()
			}
		})
		d.timer = timer
	}
	s.changed.Broadcast()
}
