package autobahn

import (
	"fmt"
	"sync"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn/internal/h2"
)

// streamStep is a step that only a stream of HTTP/2 can do.
type streamStep struct {
	what string // for explanations
	do   func(s *session, st *h2.Stream)
	// queued: done after everything queued so far has been sent, not at once.
	queued bool
}

func atOnce(what string, do func(*h2.Stream)) Step {
	return Step{do: actStream, stream: &streamStep{what: what, do: func(_ *session, st *h2.Stream) { do(st) }}}
}

func inTurn(what string, do func(*h2.Stream)) Step {
	step := atOnce(what, do)
	step.stream.queued = true
	return step
}

// hold stops sending window updates for the stream; release sends all that were held.
func hold() Step {
	return atOnce("hold back the window updates of the stream", (*h2.Stream).Hold)
}
func release() Step {
	return atOnce("send the window updates that were held back", (*h2.Stream).Release)
}

// grant sends one window update.
func grant(n uint32) Step {
	return atOnce(fmt.Sprintf("grant %d bytes more on the stream", n), func(st *h2.Stream) { st.Grant(n) })
}

func grantConn(n uint32) Step {
	return atOnce(fmt.Sprintf("grant %d bytes more on the connection", n), func(st *h2.Stream) { st.Conn().GrantConn(n) })
}

// shrink changes the initial window of all streams.
func shrink(n uint32) Step {
	return atOnce(fmt.Sprintf("change SETTINGS_INITIAL_WINDOW_SIZE to %d", n), func(st *h2.Stream) { st.Conn().Shrink(n) })
}

// pad pads every further DATA frame.
func pad(n int) Step {
	return inTurn(fmt.Sprintf("pad each DATA frame with %d bytes from now on", n), func(st *h2.Stream) { st.Pad(n) })
}

func emptyData() Step {
	return inTurn("send an empty DATA frame", func(st *h2.Stream) { st.Write(nil) })
}

func resetStream(code http2.ErrCode) Step {
	return inTurn("send RST_STREAM with "+code.String(), func(st *h2.Stream) { st.Reset(code) })
}

func goAway() Step {
	return atOnce("send GOAWAY without an error", func(st *h2.Stream) { st.Conn().GoAway() })
}

// pingHTTP2 sends a PING frame of HTTP/2 and waits for the answer.
func pingHTTP2() Step {
	return Step{do: actStream, stream: &streamStep{what: "send a PING frame of HTTP/2 and wait for its acknowledgement", do: func(s *session, st *h2.Stream) {
		s.blocked = true
		answered := false
		st.Conn().Ping(func() {
			s.post(func() {
				answered, s.blocked = true, false
				s.advance()
				s.closeIfComplete()
			})
		})
		s.after(dropTimeout, func() {
			if !answered && s.state == stateOpen {
				s.forced, s.result = Failed, "the PING frame of HTTP/2 was not acknowledged"
				s.blocked = false
				s.advance()
			}
		})
	}}}
}

// meet waits until every other part of the case is there as well, or has ended.
func meet() Step { return Step{do: actMeet} }

func (s *session) doStream(step *Step) {
	if s.stream == nil {
		return
	}
	s.note("%s", step.stream.what)
	if !step.stream.queued {
		step.stream.do(s, s.stream)
		return
	}
	s.out.do(func() error { step.stream.do(s, s.stream); return nil })
}

// post calls f on the session's goroutine, unless the session is over.
func (s *session) post(f func()) {
	select {
	case s.calls <- f:
	case <-s.over:
	}
}

// leaveHTTP2 is the end of a session's calls.
func (s *session) leaveHTTP2() {
	if s.over != nil {
		close(s.over)
	}
}

// meet waits for the other parts, once everything queued has been sent.
func (s *session) meet() {
	s.blocked = true
	goOn := func() {
		s.post(func() {
			s.blocked = false
			s.advance()
			s.closeIfComplete()
		})
	}
	s.out.do(func() error { s.meeting.join(goOn); return nil })
}

// meeting is where the parts of a case wait for each other.
type meeting struct {
	mu sync.Mutex
	// Guarded by mu.
	expected int // parts that have not ended
	waiting  []func()
}

func (m *meeting) join(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = append(m.waiting, f)
	m.begin()
}

func (m *meeting) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expected--
	m.begin()
}

// begin lets all parts go on if none is missing. mu is held.
func (m *meeting) begin() {
	if len(m.waiting) < m.expected {
		return
	}
	for _, f := range m.waiting {
		go f()
	}
	m.waiting = nil
}
