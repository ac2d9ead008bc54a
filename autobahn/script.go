package autobahn

import (
	"slices"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// advance runs the script until a step waits.
func (s *session) advance() {
	for !s.blocked && s.state != stateClosed && s.pc < len(s.c.Script) {
		step := &s.c.Script[s.pc]
		s.pc++
		s.do(step)
	}
}

func (s *session) do(step *Step) {
	switch step.do {
	case actSend:
		var p []byte
		for _, f := range step.frames {
			p = s.render(p, f)
		}
		s.write(p)
	case actSync:
		s.oneByOne(&trickle{frames: step.frames})
	case actChop:
		if step.chop == 1 {
			s.oneByOne(&trickle{frames: step.frames, octets: true})
			return
		}
		for _, f := range step.frames {
			s.writeChopped(s.render(nil, f), step.chop)
		}
	case actPiece:
		s.sendPiece(step)
	case actClose:
		s.closeChop = step.chop
		s.sendClose(step.code, step.reason)
	case actWait:
		s.wait(step)
	case actAwait:
		s.awaiting = step.events
		s.blocked = s.arrived < step.events
	case actKill:
		s.after(step.delay, s.kill)
	case actFinish:
		s.after(step.delay, s.finish)
	case actHangUp:
		s.drop()
	case actHalfClose:
		s.note("ending our side of %s", s.end.below())
		s.out.end()
	case actMute:
		s.note("reading nothing for now")
		s.muted = true
	case actUnmute:
		s.note("reading again")
		s.muted = false
	case actSplit:
		s.split(step)
	case actStream:
		s.doStream(step)
	case actMeet:
		s.meet()
	}
}

func (s *session) writeChopped(p []byte, n int) {
	if n <= 0 {
		s.write(p)
		return
	}
	for len(p) > 0 {
		k := min(n, len(p))
		s.write(p[:k])
		p = p[k:]
	}
}

// The time that a peer has to read data sent by itself, before scaling: an octet, or a
// frame that it may answer. TCP joins what a peer has no time to read, and then what a
// peer sees depends on the machine.
const (
	octetPause = time.Millisecond
	framePause = 100 * time.Millisecond
)

// trickle is frames that are sent one by one.
type trickle struct {
	frames []*wire.Frame
	octets bool   // each octet alone
	rest   []byte // of the first frame
}

// oneByOne sends frames in writes of their own. After each one that can be answered it
// waits for the answer, but not for long.
func (s *session) oneByOne(t *trickle) {
	s.blocked = true
	if s.state != stateOpen || len(t.frames) == 0 {
		s.blocked, s.inFrame = false, false
		s.advance()
		s.closeIfComplete()
		return
	}
	f := t.frames[0]
	if t.rest == nil {
		t.rest = s.render(nil, f)
	}
	n := len(t.rest)
	if t.octets {
		n = 1
	}
	s.write(t.rest[:n])
	t.rest = t.rest[n:]
	if s.inFrame = len(t.rest) > 0; s.inFrame {
		s.after(octetPause, func() { s.oneByOne(t) })
		return
	}
	s.frameDone()
	t.frames, t.rest = t.frames[1:], nil
	switch {
	case len(t.frames) == 0:
		s.oneByOne(t)
	case f.Fin && (f.Opcode < wire.Close || f.Opcode == wire.Ping):
		s.onEvent(framePause, func() { s.oneByOne(t) })
	default:
		s.after(octetPause, func() { s.oneByOne(t) })
	}
}

// onEvent calls f when something has come back, and after d at the latest.
func (s *session) onEvent(d time.Duration, f func()) {
	done := false
	s.heard = func() {
		if !done {
			done, s.heard = true, nil
			f()
		}
	}
	s.after(d, s.heard)
}

// sendPiece sends part of a frame, which keeps its masking key.
func (s *session) sendPiece(step *Step) {
	f := step.frames[0]
	p, ok := s.pieces[f]
	if !ok {
		p = s.render(nil, f)
		if s.pieces == nil {
			s.pieces = map[*wire.Frame][]byte{}
		}
		s.pieces[f] = p
	}
	// Positions count payload bytes; the header goes with the first.
	header := len(p) - len(f.Payload)
	from := step.from + header
	if step.from == 0 {
		from = 0
	}
	s.write(p[from : step.to+header])
	if s.inFrame = step.to < len(f.Payload); !s.inFrame {
		s.frameDone()
	}
}

// split sends a frame in two writes, a moment apart.
func (s *session) split(step *Step) {
	p := s.render(nil, step.frames[0])
	n := min(step.from, len(p))
	s.write(p[:n])
	s.blocked, s.inFrame = true, true
	s.after(step.delay, func() {
		s.blocked = false
		s.write(p[n:])
		s.frameDone()
		s.advance()
		s.closeIfComplete() // a client has the whole of a short frame before the second write
	})
}

// wait lets time pass. If the connection is still open after that, the script goes on.
func (s *session) wait(step *Step) {
	s.blocked = true
	s.note("waiting %v", s.opt.scale(step.delay))
	s.after(step.delay, func() {
		if s.state == stateClosed || s.state != stateOpen && !step.forced {
			return
		}
		s.blocked = false
		if step.tag != "" {
			s.record(Event{Kind: TimeoutEvent, Tag: step.tag})
		}
		s.advance()
	})
}

// kill fails a connection that is still open.
func (s *session) kill() {
	if s.state != stateClosed {
		s.ranOut("the time allowed for the case")
		s.note("time is up: failing the connection")
		switch {
		case s.c.dropped:
			s.drop()
		case s.passedOver():
			s.sendClose(s.c.Close.Codes[0], nil)
		default:
			s.fail(1001, "Going Away")
		}
	}
}

// passedOver reports whether only Pongs that need not come are missing.
func (s *session) passedOver() bool {
	return s.state == stateOpen && s.c.own() && s.c.Close.ByTester && !s.c.keepOpen &&
		slices.ContainsFunc(s.c.Expect, func(o Outcome) bool { v, _ := s.matches(&o); return v != "" })
}

// finish closes a connection that is still open.
func (s *session) finish() {
	if s.state == stateOpen {
		s.ranOut("the time allowed for the case")
		s.note("time is up: closing the connection")
		s.sendClose(-1, nil)
	}
}
