package load

import (
	"math"
	"math/rand/v2"
	"time"
)

// Times are moments at which something is due, in order. They are fixed in advance, whatever
// the server does.
type Times interface {
	// Due returns the next one, in nanoseconds; after the last, math.MaxInt64.
	Due() int64
	// Pass goes on to the one after.
	Pass()
}

// RateStage is a part of an open loop, in which the rate goes evenly from that of the stage
// before to Rate.
type RateStage struct {
	Duration time.Duration `json:"duration_ns"`
	Rate     float64       `json:"rate"` // at its end, in a second, of all senders together
}

// Schedule is a sequence of times at which something is due, fixed in advance whatever the
// server does. It is deterministic: equal arguments give equal schedules.
//
// Its k'th time is when the integral of the rate reaches k. So the stages are not steps,
// and no rounding adds up.
type Schedule struct {
	start    int64
	segments []segment
	now      int     // the segment of the next time
	count    float64 // the integral of the rate at the next time
	random   *rand.Rand
}

// segment is a time in which the rate changes evenly, in units of nanoseconds.
type segment struct {
	from   float64 // since the start
	count  float64 // the integral of the rate until then
	rate   float64 // at its beginning
	slope  float64 // of the rate
	length float64
}

// NewSchedule returns a schedule of rate times per second, from start on, in nanoseconds.
// After a time of hold the stages follow, and then the end; without stages there is no end.
// phase, from 0 to 1, is the part of a gap before the first time, so that several
// schedules do not coincide.
func NewSchedule(start int64, rate, phase float64, hold time.Duration, stages ...RateStage) *Schedule {
	s := &Schedule{start: start, count: phase}
	if len(stages) == 0 {
		hold = math.MaxInt64
	}
	s.add(float64(hold), rate, rate)
	for _, stage := range stages {
		s.add(float64(stage.Duration), rate, stage.Rate)
		rate = stage.Rate
	}
	return s
}

// add appends a segment, with rates in a second.
func (s *Schedule) add(length, from, to float64) {
	g := segment{rate: from / 1e9, slope: (to - from) / 1e9 / max(length, 1), length: length}
	if n := len(s.segments); n > 0 {
		last := &s.segments[n-1]
		g.from, g.count = last.from+last.length, last.count+last.total()
	}
	s.segments = append(s.segments, g)
}

// total is the integral of the rate over the segment.
func (g *segment) total() float64 { return (g.rate + g.slope*g.length/2) * g.length }

// MakeIrregular gives the schedule exponentially distributed gaps of the same rate on
// average. It must not have been used yet.
func (s *Schedule) MakeIrregular(seed1, seed2 uint64) *Schedule {
	s.random = rand.New(rand.NewPCG(seed1, seed2))
	s.count = s.random.ExpFloat64()
	return s
}

// Due returns the next time; after the last stage, one that never comes.
func (s *Schedule) Due() int64 {
	for ; s.now < len(s.segments); s.now++ {
		g := &s.segments[s.now]
		n := s.count - g.count
		if n >= g.total() && (s.now < len(s.segments)-1 || g.length < math.MaxInt64) {
			continue
		}
		t := g.from
		if n > 0 { // n = rate*t + slope*t²/2, solved for t in the form that bears a slope of 0
			t += 2 * n / (g.rate + math.Sqrt(max(g.rate*g.rate+2*g.slope*n, 0)))
		}
		return s.start + int64(math.Round(t))
	}
	return math.MaxInt64
}

// Pass goes on to the time after.
func (s *Schedule) Pass() {
	if s.random != nil {
		s.count += s.random.ExpFloat64()
	} else {
		s.count++
	}
}
