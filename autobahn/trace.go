package autobahn

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// This file owns which traces are allowed. The original's cases require an exact
// trace. RFC 6455 orders messages, but no Pong relative to a message, lets an endpoint
// answer only the last of several Pings, and send unsolicited Pongs (§5.5.3): in our
// own cases all of that is allowed.

// asks notes a Ping that is sent.
func (s *session) asks(f *wire.Frame) {
	if f.Opcode == wire.Ping {
		s.asked = append(s.asked, f.Payload)
	}
}

// ponged handles a Pong. In our own cases it is an event only if it answers a Ping; it
// also answers all earlier Pings.
func (s *session) ponged(p []byte) {
	if s.c.own() {
		i := slices.IndexFunc(s.asked, func(q []byte) bool { return bytes.Equal(p, q) })
		if i < 0 {
			s.note("a Pong that nobody asked for")
			return
		}
		s.asked = s.asked[i+1:]
		s.arrived += i
	}
	s.record(Event{Kind: PongEvent, Payload: bytes.Clone(p)})
}

// record notes an event, and closes the connection when the trace is complete.
func (s *session) record(e Event) {
	s.events = append(s.events, e)
	s.arrived++
	if s.heard != nil {
		s.heard()
	}
	if s.blocked && s.awaiting > 0 && s.arrived >= s.awaiting {
		s.blocked, s.awaiting = false, 0
		s.advance()
	}
	s.closeIfComplete()
}

func (s *session) closeIfComplete() {
	if s.waiting || s.c.keepOpen || s.c.Loop != nil || s.c.anyMessages {
		return
	}
	all := s.c.Close.ByTester
	for i := range s.c.Expect {
		switch o := &s.c.Expect[i]; {
		case o.end == nil:
			all = all && s.complete(o)
		case o.end.ByTester && s.complete(o):
			s.sendClose(o.end.Codes[0], nil)
			return
		}
	}
	if all {
		s.sendClose(s.c.Close.Codes[0], nil)
	}
}

// complete reports whether the trace is an outcome's, and nothing more that belongs to
// it can arrive.
func (s *session) complete(o *Outcome) bool {
	v, all := s.matches(o)
	return v != "" && (all || len(s.asked) == 0 && !s.blocked && s.pc == len(s.c.Script))
}

// matches is an outcome's verdict on the trace; "" if the trace is not the outcome's.
// all is false if Pongs are missing.
func (s *session) matches(o *Outcome) (v Verdict, all bool) {
	if same(s.events, o.Events) {
		return o.Verdict, true
	}
	if !s.c.own() || len(s.events)-pongsIn(s.events) != len(o.Events)-pongsIn(o.Events) {
		return "", false
	}
	got, gotPongs := parted(s.events)
	want, wantPongs := parted(o.Events)
	switch {
	case !same(got, want):
		return "", false
	case same(gotPongs, wantPongs):
		return o.Verdict, true
	case !passedOver(gotPongs, wantPongs):
		return "", false
	case o.Verdict.Rank() < NonStrict.Rank():
		return NonStrict, false
	}
	return o.Verdict, false
}

// onTheWay reports whether the first n events are the beginning of an outcome's trace,
// which has more events.
func (s *session) onTheWay(o *Outcome, n int) bool {
	return n < len(o.Events) && s.fits(o, n)
}

// fits reports whether the first n events are an outcome's trace, or the beginning of
// one.
func (s *session) fits(o *Outcome, n int) bool {
	events := s.events[:n]
	if !s.c.own() {
		return n <= len(o.Events) && same(events, o.Events[:n])
	}
	got, gotPongs := parted(events)
	want, wantPongs := parted(o.Events)
	return n <= len(o.Events) && len(got) <= len(want) && same(got, want[:len(got)]) && within(gotPongs, wantPongs)
}

// nearest says what happened in place of what is allowed: the outcome that has most in
// common with it, and where the two differ.
func (s *session) nearest() string {
	const what = "what happened is none of what is allowed"
	best, common := -1, -1
	for i := range s.c.Expect {
		want := s.c.Expect[i].Events
		n := 0
		for n < len(want) && n < len(s.events) && same(s.events[n:n+1], want[n:n+1]) {
			n++
		}
		if n > common {
			best, common = i, n
		}
	}
	if best < 0 {
		return what
	}
	got, want := trace(s.events[common:]), trace(s.c.Expect[best].Events[common:])
	if common > 0 {
		return fmt.Sprintf("%s: after %d events %s, not %s", what, common, got, want)
	}
	return fmt.Sprintf("%s: %s, not %s", what, got, want)
}

func pongsIn(events []Event) (n int) {
	for i := range events {
		if events[i].Kind == PongEvent {
			n++
		}
	}
	return n
}

// parted separates a trace's Pongs from the rest.
func parted(events []Event) (rest, pongs []Event) {
	for _, e := range events {
		if e.Kind == PongEvent {
			pongs = append(pongs, e)
		} else {
			rest = append(rest, e)
		}
	}
	return rest, pongs
}

// passedOver reports whether got is want without some of its Pongs, but with the
// last.
func passedOver(got, want []Event) bool {
	return len(got) > 0 && len(want) > 0 && same(got[len(got)-1:], want[len(want)-1:]) && within(got, want)
}

// within reports whether got is want, possibly with some events missing.
func within(got, want []Event) bool {
	for _, e := range want {
		if len(got) > 0 && same(got[:1], []Event{e}) {
			got = got[1:]
		}
	}
	return len(got) == 0
}

// same reports whether two traces are equal.
func same(a, b []Event) bool {
	return slices.EqualFunc(a, b, func(x, y Event) bool {
		return x.Kind == y.Kind && x.Binary == y.Binary && x.Tag == y.Tag && bytes.Equal(x.Payload, y.Payload)
	})
}
