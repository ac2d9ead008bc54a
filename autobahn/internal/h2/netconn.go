package h2

import (
	"fmt"
	"io"
	"net"
	"time"
)

// This file makes a Stream a net.Conn.

// Read implements net.Conn.
func (s *Stream) Read(p []byte) (int, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case passed(s.readBy):
			return 0, errTimeout
		case s.c.violation != nil:
			return 0, s.c.violation
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.credit(int64(n))
			return n, nil
		case s.ended:
			return 0, io.EOF
		case s.reset != nil:
			return 0, s.reset
		case s.sentReset:
			return 0, fmt.Errorf("the tester reset stream %d", s.id)
		case s.c.err != nil:
			return 0, s.c.lastWords()
		}
		s.c.cond.Wait()
	}
}

// Write implements net.Conn. It sends a DATA frame, or as many as p needs; an empty p
// sends an empty one. It waits for the peer's windows.
func (s *Stream) Write(p []byte) (n int, err error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for first := true; first || len(p) > 0; first = false {
		for {
			switch {
			case s.closed || s.sentEnd:
				return n, net.ErrClosed
			case s.reset != nil:
				return n, s.reset
			case c.err != nil:
				return n, c.err
			case passed(s.writeBy):
				return n, errTimeout
			}
			if s.room() > 0 || len(p) == 0 {
				break
			}
			c.cond.Wait()
		}
		k := min(len(p), s.room())
		s.frame(p[:k], false)
		p = p[k:]
		n += k
	}
	return n, nil
}

// room is how many bytes the next DATA frame may have, beside its padding. mu is held.
func (s *Stream) room() int {
	padding := 0
	if s.pad > 0 {
		padding = 1 + s.pad
	}
	return int(min(int64(s.c.maxFrame), s.c.window, s.window)) - padding
}

// frame sends a DATA frame. mu is held.
func (s *Stream) frame(p []byte, end bool) {
	size := len(p)
	if s.pad > 0 {
		size += 1 + s.pad
		s.c.fr.WriteDataPadded(s.id, end, p, make([]byte, s.pad))
	} else {
		s.c.fr.WriteData(s.id, end, p)
	}
	s.window -= int64(size)
	s.c.window -= int64(size)
	s.c.cond.Broadcast()
}

// CloseWrite ends our side.
func (s *Stream) CloseWrite() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.end()
	return nil
}

// end sends END_STREAM, unless that was sent already. mu is held.
func (s *Stream) end() {
	if s.sentEnd || s.reset != nil || s.c.err != nil {
		return
	}
	s.sentEnd = true
	s.pad = 0
	s.c.log(true, "DATA, 0 bytes, stream %d, END_STREAM", s.id)
	s.frame(nil, true)
}

// Close implements net.Conn: it ends our side, and discards what the peer still sends.
func (s *Stream) Close() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.closed {
		return nil
	}
	s.end()
	s.closed, s.held = true, false
	s.credit(int64(len(s.buf)) + s.owed)
	s.buf, s.owed = nil, 0
	s.c.cond.Broadcast()
	return nil
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.deadline(&s.readBy, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.deadline(&s.writeBy, t)
	return nil
}

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error {
	s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

func (s *Stream) deadline(which *time.Time, t time.Time) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	*which = t
	s.c.cond.Broadcast()
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), s.c.wake)
	}
}

// LocalAddr implements net.Conn.
func (s *Stream) LocalAddr() net.Addr { return s.c.nc.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.c.nc.RemoteAddr() }
