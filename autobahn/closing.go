package autobahn

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// This file owns closing: which side closed first, which side closed TCP, and
// whether it was clean. It follows the original suite, on which the verdicts
// depend.

// sendClose sends our Close, unless one was sent.
func (s *session) sendClose(code int, reason []byte) { s.closeFrame(code, reason, false) }

func (s *session) closeFrame(code int, reason []byte, answer bool) {
	if s.state != stateOpen {
		return
	}
	if answer && s.c.silent {
		s.note("leaving the peer's Close without an answer")
		return
	}
	s.endFrame()
	f := &wire.Frame{Fin: true, Opcode: wire.Close, Payload: wire.ClosePayload(code, reason)}
	if p := s.render(nil, f); s.closeChop == 1 {
		for i := range p {
			s.after(time.Duration(i)*octetPause, func() { s.write(p[i : i+1]) })
		}
	} else {
		s.write(p)
	}
	s.state = stateClosing
	s.end.ClosedByUs = !answer
	if code >= 0 {
		s.end.LocalCode = &code
	}
	if !answer {
		s.after(closeTimeout, func() {
			if s.state != stateClosed && s.end.RemoteCode == nil && !s.end.Clean {
				s.ranOut("the time for the answer to our Close")
				s.end.UncleanReason = fmt.Sprintf("the testee did not answer the Close within %v", s.opt.scale(closeTimeout))
				s.drop()
			}
		})
	}
}

// fail fails the connection: with a Close or, if one was sent, by closing TCP.
func (s *session) fail(code int, reason string) {
	if s.state == stateClosed {
		return
	}
	s.end.FailedByUs = true
	if s.state == stateClosing {
		s.drop()
		return
	}
	s.sendClose(code, []byte(reason))
}

// Violation implements wire.Receiver.
func (s *session) Violation(what string) {
	s.note("the peer broke the protocol: %s", what)
	s.violate(what)
	s.fail(1002, "protocol error")
}

// BadText implements wire.Receiver. Nothing is read after such a message: like the
// original, the tester then closes TCP at the next byte.
func (s *session) BadText(what string) {
	s.badText(what)
	s.deaf = true
}

func (s *session) badText(what string) {
	s.note("the peer sent %s", what)
	s.violate(what)
	s.fail(1007, "invalid payload")
}

// Frame implements wire.Receiver.
func (s *session) Frame(h wire.Header, p []byte) {
	if h.Masked && len(s.keys) < maxKeys {
		s.keys = append(s.keys, sentKey{h.Opcode, h.Key})
	}
	if s.peerClosed {
		s.late = append(s.late, h.Opcode)
	}
	if s.logging() {
		s.log.received(h, p)
	}
}

// Control implements wire.Receiver.
func (s *session) Control(opcode byte, p []byte) {
	if s.state == stateClosed {
		return // a violation in the frame's header was the second one
	}
	switch opcode {
	case wire.Close:
		s.peerClose(p)
	case wire.Ping:
		if s.state == stateOpen {
			s.pong(&wire.Frame{Fin: true, Opcode: wire.Pong, Payload: append([]byte{}, p...)})
		}
	case wire.Pong:
		s.ponged(p)
	}
}

// pong answers a Ping, but not in the middle of a frame.
func (s *session) pong(f *wire.Frame) {
	if s.inFrame {
		s.pongs = append(s.pongs, f)
		return
	}
	s.write(s.render(nil, f))
}

// endFrame writes the rest of a frame that began with the opening handshake, unless
// that is done. A Close does not wait for it, but is sent after it.
func (s *session) endFrame() {
	if len(s.rest) > 0 {
		s.write(s.rest)
		s.rest = nil
		s.frameDone()
	}
}

// frameDone sends the Pongs that had to wait for a frame's end.
func (s *session) frameDone() {
	s.inFrame = false
	for _, f := range s.pongs {
		s.write(s.render(nil, f))
	}
	s.pongs = nil
}

// Message implements wire.Receiver.
func (s *session) Message(binary bool, p []byte) {
	if s.end.FailedByUs || s.state == stateClosed || s.greeted(p) {
		return
	}
	if s.loop != nil {
		s.loop.message(s, binary, p)
		return
	}
	s.record(Event{Kind: MessageEvent, Binary: binary, Payload: append([]byte{}, p...)})
}

// validCode reports whether a peer may send code (RFC 6455 §7.4, and the codes
// that were registered before RFC 6455 was last amended).
func validCode(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1011 || code >= 3000 && code <= 4999
}

// registered are codes that IANA added; only our own cases accept them.
func registered(code int) bool { return code >= 1012 && code <= 1014 }

// peerClose handles the peer's Close.
func (s *session) peerClose(p []byte) {
	if s.peerClosed && s.c.own() {
		return // a second one; where it matters, it is in late
	}
	s.peerClosed = true
	code := -1
	if len(p) > 1 {
		code = int(binary.BigEndian.Uint16(p))
		s.end.RemoteCode = &code
		s.end.RemoteReason = string(p[2:])
		if !validCode(code) && !(registered(code) && s.c.own()) {
			s.Violation("a Close with the invalid code " + strconv.Itoa(code))
		}
		if !utf8.Valid(p[2:]) {
			s.badText("a Close whose reason is not UTF-8")
		}
	}
	switch s.state {
	case stateClosing:
		s.end.Clean = true
		s.bothClosed(true)
	case stateOpen:
		s.end.Clean = true
		s.closeFrame(1000, nil, true)
		s.bothClosed(false)
	case stateClosed:
		s.end.Clean = false
	}
}

// bothClosed: the server closes TCP (RFC 6455 §7.1.1). If that is the peer, and it
// answered our Close, it has a second to do so.
func (s *session) bothClosed(answered bool) {
	if s.stream != nil && !s.client && s.c.linger {
		s.out.end()
		s.after(dropTimeout, s.drop)
		return
	}
	if !s.client && s.c.linger {
		s.after(lingerTime, s.drop)
		return
	}
	if !s.client && !s.c.silent {
		s.drop()
		return
	}
	if answered {
		s.after(dropTimeout, func() {
			if s.state != stateClosed {
				s.ranOut("the time for the server to close " + s.end.below())
				s.end.Clean = false
				s.end.UncleanReason = fmt.Sprintf("the server left %s open for %v after the Close", s.end.below(), s.opt.scale(dropTimeout))
				s.drop()
			}
		})
	}
}
