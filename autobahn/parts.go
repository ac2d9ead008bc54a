package autobahn

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Some things can be seen only once on a connection, such as how a bad frame is
// refused. A case about many of them has parts: each is played on a connection of its
// own, and the case has the worst of their verdicts. A client plays each part under a
// number of its own, because it is the client that connects.

// inParts gives a case its parts, which are made when they are first needed.
func (c *Case) inParts(list func() []*Case) *Case {
	c.parts = sync.OnceValue(func() []*Case {
		parts := list()
		for i, p := range parts {
			p.ID = fmt.Sprintf("%s/%d", c.ID, i+1)
			p.Rule, p.Testee, p.Expectation = c.Rule, c.Testee, c.Expectation
		}
		return parts
	})
	return c
}

// where says what each part is played on.
func (c *Case) where() string {
	if c.together {
		return "a stream of one connection"
	}
	return "a connection of its own"
}

// several is the plural of where.
func (c *Case) several() string {
	if c.together {
		return "streams"
	}
	return "connections"
}

// maxFailedParts is how many parts may fail before the others are left out: they would
// teach nothing more, and each may take its whole time.
const maxFailedParts = 3

// partsTime is the time, before scaling, after which no further part of a case begins: a
// server that takes a second for each connection does not get a thousand of them.
const partsTime = time.Minute

// connections are the parts of a case that are played: the case itself where it has none.
func (o *Options) connections(c *Case) []*Case {
	if c.parts == nil {
		return []*Case{c}
	}
	all := c.parts()
	if c.together {
		return all
	}
	if o.Connections <= 0 || len(all) <= o.Connections {
		return all
	}
	some := make([]*Case, o.Connections)
	for i := range some {
		some[i] = all[i*len(all)/len(some)]
	}
	return some
}

// partResults are the results of a case's parts so far.
type partResults struct {
	list   []*Result
	failed int
}

func (p *partResults) add(r *Result) {
	if len(p.list) > 0 && r.Passes(true) {
		r.Log, r.Response = &WireLog{}, "" // they will not be used
	}
	p.list = append(p.list, r)
	if !r.Passes(false) {
		p.failed++
	}
}

// has reports whether a part was played.
func (p *partResults) has(part *Case) bool {
	return slices.ContainsFunc(p.list, func(r *Result) bool { return r.Case == part })
}

// enough reports whether the case's verdict is clear before all parts were played.
func (p *partResults) enough() bool {
	unimplemented := func(r *Result) bool { return r.Behavior == Unimplemented }
	return p.failed >= maxFailedParts || len(p.list) == maxFailedParts && !slices.ContainsFunc(p.list, func(r *Result) bool { return !unimplemented(r) })
}

// merged is the result of a case with a total of that many parts to play.
func (p *partResults) merged(c *Case, total int) *Result {
	if c.parts == nil {
		return p.list[0]
	}
	worst := slices.MaxFunc(p.list, func(a, b *Result) int { return cmp.Compare(a.rank(), b.rank()) })
	r := *worst
	r.Case, r.Part, r.Duration = c, worst.Case.ID, 0
	for _, part := range p.list {
		r.Duration += part.Duration
		if part.Started.Before(r.Started) {
			r.Started = part.Started
		}
		if part.alive.After(r.alive) {
			r.alive = part.alive
		}
		r.TimeAlone = r.TimeAlone && (part.TimeAlone || part.Passes(false))
		r.late = r.late && (part.late || part.Passes(false))
	}
	if c.across != nil && r.Behavior.Rank() < Failed.Rank() {
		if wrong := c.across(p.list); wrong != "" {
			r.Behavior, r.Reason = Failed, wrong
			return &r
		}
	}
	if r.rank() == 0 || r.Behavior == Unimplemented && r.BehaviorClose == OK {
		r.Reason = fmt.Sprintf("%s, on %d %s", r.Reason, len(p.list), c.several())
		if len(p.list) < total && r.Behavior != Unimplemented {
			r.Reason += fmt.Sprintf(" of %d: there was no time for more", total)
		}
		return &r
	}
	same := 0
	for _, part := range p.list {
		if part.Behavior == r.Behavior && part.BehaviorClose == r.BehaviorClose {
			same++
		}
	}
	where := fmt.Sprintf("%s: %s", worst.Case.ID, worst.Case.Title)
	if same > 1 {
		where += fmt.Sprintf(" (so on %d of %d %s)", same, len(p.list), c.several())
	}
	if len(p.list) < total {
		where += fmt.Sprintf(" (%d of %d were made)", len(p.list), total)
	}
	r.Reason, r.ReasonClose = where+": "+r.Reason, where+": "+r.ReasonClose
	return &r
}

// many adds a case with parts, of suite version 2.
func (s *series) many(title, expectation string, rule *Rule, list func() []*Case) *Case {
	return s.add(&Case{Title: title, Expectation: expectation, Rule: rule, Suite: 2}).inParts(list)
}

// badPart is a part whose frames must fail the connection with one of the codes, once the
// events have come.
func badPart(title string, codes []int, events []Event, script ...Step) *Case {
	return &Case{Title: title, Script: append(script, killAfter(time.Second)), Expect: []Outcome{ok(events...)},
		Close: Closing{Codes: codes, WrongEndFatal: true}, wrongCodeFatal: true}
}

// compressedParts are parts with permessage-deflate.
func compressedParts(list []*Case) []*Case {
	for _, c := range list {
		c.Deflate = plainDeflate()
	}
	return list
}
