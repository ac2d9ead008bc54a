package main

import (
	"errors"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// receive reads the connection to the end of its stream. It is the reader's goroutine.
//
// A Close is not the end of the stream. 7.1.1: "The underlying TCP connection, in most
// normal cases, SHOULD be closed first by the server".
func (s *session) receive(left []byte) (e ending) {
	s.take(left, &e)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.nc.Read(buf)
		s.take(buf[:n], &e)
		if err == nil {
			continue
		}
		if s.received != nil {
			s.screen.write(s.received.End(nil))
		}
		if e.code == 0 {
			e.code, e.lost, e.inside = wsproto.CloseAbnormal, err, s.inside()
		}
		return e
	}
}

// take handles bytes that arrived.
func (s *session) take(p []byte, e *ending) {
	if len(p) == 0 {
		return
	}
	if s.received != nil && s.screen.write(s.received.Append(nil, p)) != nil {
		s.hangUp()
	}
	s.mu.Lock()
	s.proto.Feed(p)
	s.mu.Unlock()
	for {
		ev := s.next()
		switch ev.Kind {
		case wsproto.NeedData:
			if s.inside() {
				s.hear()
			}
			return
		case wsproto.Message:
			s.hear()
			s.show(ev)
		case wsproto.Pong:
			s.pong(ev.Payload)
		case wsproto.Closed:
			e.code, e.reason, e.inside = ev.Code, string(ev.Payload), s.inside()
			s.mu.Lock()
			e.own = s.hungUp
			s.mu.Unlock()
			s.bound()
		case wsproto.Failed:
			errors.As(ev.Err, &e.failed)
			e.code = e.failed.Code
			s.bound()
		}
	}
}

// inside reports whether a message has begun but is not complete.
func (s *session) inside() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, inside := s.proto.Unfinished()
	return inside
}

// hear tells the writer that a message, or a part of one, has arrived.
func (s *session) hear() {
	select {
	case s.heard <- struct{}{}:
	default:
	}
}

// next returns the protocol's next event, and passes the protocol's answer to the writer.
func (s *session) next() wsproto.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.out) > maxUnwritten {
		s.room.Wait()
	}
	ev := s.proto.Next()
	if ev.Kind == wsproto.Failed {
		s.failed = true
	}
	if answer := s.proto.Output(); len(answer) > 0 {
		s.out = append(s.out, answer...)
		s.notify()
	}
	return ev
}

// show shows a message; under --once only the first, which ends the session if
// the input has been sent.
func (s *session) show(ev wsproto.Event) {
	s.mu.Lock()
	first, inputDone := !s.shown, s.inputDone
	s.shown = true
	s.mu.Unlock()
	if s.o.once && !first {
		return
	}
	if !s.o.hex && s.screen.message(ev.Opcode, ev.Payload) != nil {
		s.hangUp()
	}
	if s.o.once && inputDone {
		s.hangUp()
	}
}

// pong reports the round-trip time of a ping of ours, and ignores other pongs.
func (s *session) pong(payload []byte) {
	s.mu.Lock()
	took, ok := s.trips.pong(payload, time.Now())
	s.mu.Unlock()
	if ok {
		s.screen.notice("pong after %v", took.Round(time.Microsecond))
	}
}
