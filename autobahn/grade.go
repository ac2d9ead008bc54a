package autobahn

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Result is the result of a case.
type Result struct {
	Case     *Case
	Part     string // the part that the log is of, where the case has several
	Index    int    // of the case in the run, from 1
	Agent    string
	Started  time.Time
	Duration time.Duration

	Behavior      Verdict
	BehaviorClose Verdict
	Reason        string // the reason for behaviour
	ReasonClose   string
	// TimeAlone is true if the case failed only because time ran out: --time-scale may
	// help.
	TimeAlone bool

	Ending   Ending
	Received []Event
	Log      *WireLog
	keys     []sentKey
	late     bool      // a deadline decided: with more time the verdict may be better
	alive    time.Time // when the last handshake that the server answered began
	ended    time.Time
	cut      string // the server was gone after a part: which one
	Request  string // of the opening handshake
	Response string
	// Skipped is true where the configuration excludes the case for this agent.
	Skipped bool
	// Unreachable is true if no connection to the server could be made.
	Unreachable bool
	// Crashed is true if the server ended in this case.
	Crashed bool
	// Varies says how the verdicts of a repeated case differed; "" if they did not.
	Varies string
}

// Passes reports whether the case passed, behaviour and close.
func (r *Result) Passes(strict bool) bool {
	return r.Behavior.Passes(strict) && r.BehaviorClose.Passes(strict)
}

// grade gives the verdicts. The rules are the original suite's: behaviour is the
// first outcome whose trace is what was received (see trace.go); close is judged
// apart.
func (s *session) grade(r *Result) {
	c := s.c
	closing := &c.Close
	r.Behavior, r.Reason = Failed, s.nearest()
	r.Ending, r.Received, r.keys = s.end, s.events, s.keys
	switch {
	case s.loop != nil && !s.loop.ended && s.end.Opened && s.end.RanOut == "":
		r.Behavior, r.Reason = Failed, s.loop.cutOff(s)
	case s.forced != "":
		r.Behavior, r.Reason = s.forced, s.result
	case c.anyMessages && s.end.Violation == "":
		r.Behavior, r.Reason = OK, "nothing forbidden happened"
	default:
		for i := range c.Expect {
			if v, all := s.matches(&c.Expect[i]); v != "" {
				if r.Behavior, r.Reason = v, "what happened is what is allowed"; !all {
					r.Reason = "of several Pings only some are answered, the last among them"
				}
				if end := c.Expect[i].end; end != nil {
					closing = end
				}
				break
			}
		}
	}
	if s.forced == Unimplemented {
		closing = &cleanClose // the tester's own Close, in place of what the case would have sent
	}
	r.BehaviorClose, r.ReasonClose = closing.grade(&s.end, s.client)
	if c.tolerated != nil && r.BehaviorClose != OK {
		if v, why := c.tolerated.grade(&s.end, s.client); v == OK && r.Behavior.Rank() <= NonStrict.Rank() {
			r.Behavior, r.Reason = NonStrict, "the peer took it"
			r.BehaviorClose, r.ReasonClose, closing = v, why, c.tolerated
		}
	}
	if s.end.Opened && closing.WrongEndFatal && closing.ByTester != s.end.ClosedByUs {
		r.Behavior, r.Reason = Failed, "the peer did not notice: "+r.ReasonClose
	}
	if c.wrongCodeFatal && r.BehaviorClose == WrongCode {
		r.Behavior, r.Reason = Failed, r.ReasonClose
	}
	if c.dropped && s.end.Opened && s.end.DroppedByUs && r.Behavior == OK {
		r.Behavior, r.Reason = Failed, "the peer left the connection open"
	}
	if c.inspect != nil && r.Behavior == OK {
		if wrong := c.inspect(s); wrong != "" {
			r.Behavior, r.Reason = Failed, wrong
		}
	}
	if c.remark != nil && r.Behavior.Rank() < NonStrict.Rank() {
		if lax := c.remark(s); lax != "" {
			r.Behavior, r.Reason = NonStrict, lax
		}
	}
	if s.ended != "" && r.Behavior.Rank() < NonStrict.Rank() {
		r.Behavior, r.Reason = NonStrict, s.ended
	}
	if s.end.Violation != "" && c.own() && r.Behavior != Failed {
		r.Behavior, r.Reason = Failed, "the peer broke the protocol: "+s.end.Violation
	}
	if c.informational {
		r.Behavior, r.BehaviorClose = Informational, Informational
		r.Reason = "the RFC leaves it open: " + r.Reason
	}
	r.TimeAlone = s.timeAlone(r, closing)
	r.late = r.TimeAlone || s.missed(r, closing) || r.Behavior == Failed && s.slow
}

func (c *Closing) grade(e *Ending, client bool) (Verdict, string) {
	switch {
	case !e.Opened:
		return Failed, "the opening handshake was never completed"
	case !c.EitherEnd && c.ByTester != e.ClosedByUs:
		return Failed, e.wrongSide()
	case c.Clean && !e.Clean:
		return Unclean, cmp.Or(e.UncleanReason, "the connection was not closed with the whole closing handshake")
	case e.RemoteCode != nil && len(c.Codes) > 0 && !slices.Contains(c.Codes, *e.RemoteCode):
		return WrongCode, fmt.Sprintf("the close code is %d; %v or none was expected", *e.RemoteCode, c.Codes)
	case client && e.DroppedByUs && !c.EitherEnd:
		return FailedByClient, cmp.Or(e.UncleanReason, "the server left closing "+e.below()+" to the client")
	}
	return OK, "closed as expected"
}

// wrongSide says what was seen if the wrong side closed first.
func (e *Ending) wrongSide() string {
	switch {
	case e.ClosedByUs:
		return "the testee did not end the connection; the tester did, when the time was over"
	case e.RemoteCode != nil:
		return fmt.Sprintf("the testee closed first, with the code %d", *e.RemoteCode)
	case e.Clean:
		return "the testee closed first, without a code"
	}
	return "the testee ended " + e.below() + " first, without a Close"
}

// timeAlone reports whether a failed case was on the way to a good end when time ran out,
// and nothing else was wrong with it. Later events do not count: no messages are recorded
// by then, but all Pongs are.
func (s *session) timeAlone(r *Result, closing *Closing) bool {
	if r.Passes(false) || s.end.RanOut == "" || s.end.Violation != "" {
		return false
	}
	if s.loop != nil {
		return !s.loop.ended || r.Behavior == OK
	}
	if !closing.ByTester && s.end.ClosedByUs {
		return false // the peer should have failed the connection, and did not
	}
	if r.Behavior != Failed {
		return true
	}
	return slices.ContainsFunc(s.c.Expect, func(o Outcome) bool {
		return s.onTheWay(&o, s.inTime)
	})
}

// missed reports whether the testee's only fault is that it had not failed the connection
// by a deadline. It may have had no time to do so.
func (s *session) missed(r *Result, closing *Closing) bool {
	if r.Passes(false) || s.end.Violation != "" || s.loop != nil || closing.ByTester || !s.end.ClosedByUs {
		return false
	}
	return slices.ContainsFunc(s.c.Expect, func(o Outcome) bool { return s.fits(&o, len(s.events)) })
}
