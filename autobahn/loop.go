package autobahn

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// loop is a Loop under way.
type loop struct {
	*Loop
	sent  int
	from  int    // in the corpus
	want  []byte // the message that must come back
	frame []byte
	ended bool

	deflated *stream // nil: this loop deflates by itself
}

func (s *session) beginLoop() {
	l := &loop{Loop: s.c.Loop}
	s.loop = l
	if s.negotiated != nil {
		l.deflated = sharedStream(l.Loop, s.negotiated)
	}
	s.forced = Failed
	s.result = fmt.Sprintf("not done within %v", s.opt.scale(l.Timeout))
	s.after(l.Timeout, s.finish)
	l.next(s)
	s.got = time.Now()
	l.watch(s)
}

// stallTime is how long a peer that echoes many messages may send nothing at all.
const stallTime = 30 * time.Second

// watch ends a loop in which nothing has arrived for that long: a run of cases that each
// wait for minutes takes hours.
func (l *loop) watch(s *session) {
	limit := s.opt.scale(stallTime)
	s.timers.add(time.Until(s.got.Add(limit)), func() {
		switch {
		case l.ended || s.state != stateOpen:
		case time.Since(s.got) < limit:
			l.watch(s)
		default:
			s.result = fmt.Sprintf("message %d of %d did not come back: nothing came for %v, the limit for one message (--time-scale stretches it)", l.sent, s.opt.count(l.Loop), limit)
			s.finish()
		}
	})
}

// next sends the next message.
func (l *loop) next(s *session) {
	p := l.message1(s)
	l.want = p
	opcode, rsvBits := wire.Text, byte(0)
	if l.Binary {
		opcode = wire.Binary
	}
	if l.deflated != nil {
		p, rsvBits = l.deflated.message(l.sent, l.Loop), wire.RSV1
	} else if s.negotiated != nil {
		p, rsvBits = s.negotiated.out.Deflate(p), wire.RSV1
	}
	if s.logging() {
		s.note("message %d of %d: %d bytes, %d sent", l.sent+1, s.opt.count(l.Loop), len(l.want), len(p))
	}
	// The buffer is free: the previous message has come back, so it was written.
	l.frame = l.frame[:0]
	for _, f := range fragments(opcode, rsvBits, p, l.Fragment) {
		l.frame = s.render(l.frame, f)
	}
	l.sent++
	s.writeChopped(l.frame, l.chop)
}

// message1 makes the next message's payload.
func (l *loop) message1(s *session) []byte {
	switch {
	case l.body != nil:
		return l.body
	case l.Corpus != nil:
		l.want, l.from = l.Corpus.Cut(l.want[:0], l.from, l.Length)
		return l.want
	case len(l.want) == l.Length && l.want != nil:
		return l.want
	}
	return bytes.Repeat([]byte{l.Fill}, l.Length)
}

// message handles an echo.
func (l *loop) message(s *session, binary bool, p []byte) {
	if l.ended {
		return
	}
	switch {
	case binary != l.Binary:
		s.result = fmt.Sprintf("message %d came back as %s", l.sent, kind(binary))
	case len(p) != len(l.want):
		s.result = fmt.Sprintf("message %d came back with %d bytes, %d were sent", l.sent, len(p), len(l.want))
	case !bytes.Equal(p, l.want):
		s.result = fmt.Sprintf("message %d came back with other content, from byte %d on", l.sent, differ(p, l.want))
	case l.sent < s.opt.count(l.Loop):
		l.next(s)
		return
	default:
		s.forced, s.result = OK, fmt.Sprintf("%d of %d messages came back in time", l.sent, l.sent)
	}
	l.ended = true
	s.sendClose(1000, nil)
}

// cutOff says how a connection ended while an echo was awaited.
func (l *loop) cutOff(s *session) string {
	why := ""
	if s.end.RemoteCode != nil {
		why = fmt.Sprintf(" with %d", *s.end.RemoteCode)
	}
	if s.end.RemoteReason != "" {
		why += fmt.Sprintf(" (%q)", s.end.RemoteReason)
	}
	if s.end.Violation != "" {
		return fmt.Sprintf("message %d of %d did not come back: %s", l.sent, s.opt.count(l.Loop), s.end.Violation)
	}
	return fmt.Sprintf("message %d of %d did not come back: the peer ended the connection%s", l.sent, s.opt.count(l.Loop), why)
}

// differ is where a and b, of one length, first differ.
func differ(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

func kind(binary bool) string {
	if binary {
		return "binary"
	}
	return "text"
}
