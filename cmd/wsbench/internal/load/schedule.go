package load

import "math/rand/v2"

// Schedule is a sequence of times at which something is due, fixed in advance whatever the
// server does. It is deterministic: equal arguments give equal schedules.
type Schedule struct {
	start  int64
	every  float64 // ns
	offset float64 // ns
	k      int64
	at     float64 // ns since start, of the next; irregular ones only
	random *rand.Rand
}

// NewSchedule returns a schedule of rate times per second, from start on, in nanoseconds.
// phase, from 0 to 1, is the part of a gap before the first time, so that several
// schedules do not coincide.
func NewSchedule(start int64, rate, phase float64) *Schedule {
	every := 1e9 / rate
	return &Schedule{start: start, every: every, offset: every * phase}
}

// NewPoisson returns a schedule with exponentially distributed gaps and on average rate
// times per second.
func NewPoisson(start int64, rate float64, seed1, seed2 uint64) *Schedule {
	s := NewSchedule(start, rate, 0)
	s.random = rand.New(rand.NewPCG(seed1, seed2))
	s.at = s.random.ExpFloat64() * s.every
	return s
}

// Due returns the next time.
func (s *Schedule) Due() int64 {
	if s.random != nil {
		return s.start + int64(s.at)
	}
	return s.start + int64(s.offset+float64(s.k)*s.every)
}

// Pass goes on to the time after.
func (s *Schedule) Pass() {
	s.k++
	if s.random != nil {
		s.at += s.random.ExpFloat64() * s.every
	}
}
