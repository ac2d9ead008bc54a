package load

import (
	"math"
	"testing"
	"time"
)

// The rate goes evenly from one stage's to the next, in one schedule or in the parts that
// several loops have of it.
func TestRateStages(t *testing.T) {
	stages := []RateStage{{time.Second, 1000}, {time.Second, 1000}, {2 * time.Second, 0}}
	want := []int{500, 1000, 750, 250} // in each second
	for _, parts := range []int{1, 4} {
		for _, irregular := range []bool{false, true} {
			var got [4]int
			for part := range parts {
				mine := make([]RateStage, len(stages))
				for i, s := range stages {
					mine[i] = RateStage{s.Duration, s.Rate / float64(parts)}
				}
				s := NewSchedule(5, 0, float64(part)/float64(parts), 0, mine...)
				if irregular {
					s.MakeIrregular(3, uint64(part))
				}
				for last := int64(0); s.Due() != math.MaxInt64; s.Pass() {
					if s.Due() < last {
						t.Fatalf("%d is due after %d", s.Due(), last)
					}
					last = s.Due()
					got[(last-5)/int64(time.Second)]++
				}
			}
			for i, n := range got {
				tolerance := 2.
				if irregular {
					tolerance = 4 * math.Sqrt(float64(want[i]))
				}
				if math.Abs(float64(n-want[i])) > tolerance {
					t.Errorf("%d parts, irregular %t: %d in second %d, want %d", parts, irregular, n, i+1, want[i])
				}
			}
		}
	}
	s := NewSchedule(0, 100, 0, time.Second, RateStage{time.Second, 300})
	n := 0
	for ; s.Due() < math.MaxInt64; s.Pass() {
		n++
	}
	if n != 100+200 {
		t.Errorf("%d with a second of 100 and one from there to 300, want 300", n)
	}
}

// A load in stages sends all of it, and no more.
func TestRateStagesAreSent(t *testing.T) {
	s := simulate(t, Plan{Scenario: Echo, Conns: 10, Stages: []RateStage{{time.Second, 1000}, {time.Second, 0}}, Duration: 2 * time.Second}, 2)
	if got := s.measure(); got.Sent < 998 || got.Sent > 1002 || got.Latency.Count() != int64(got.Sent) || got.Late.Max() > time.Millisecond {
		t.Errorf("%d sent, %d latencies, up to %v late; want 1000", got.Sent, got.Latency.Count(), got.Late.Max())
	}
}

// A sender thinks between an answer and its next message; the time does not count as
// latency.
func TestThinkTime(t *testing.T) {
	for name, poisson := range map[string]bool{"regular": false, "irregular": true} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, Plan{Scenario: Echo, Conns: 50, Inflight: 1, Think: 99 * time.Millisecond, Poisson: poisson, Duration: 10 * time.Second, Seed: 7}, 1)
			got := s.measure()
			// 99 ms to think and 1 ms for the answer; the loop wakes every millisecond.
			low, high := uint64(50*10*99/10), uint64(50*10*101/10)
			if poisson {
				low, high = 50*10*9, 50*10*11
			}
			if got.Sent < low || got.Sent > high || got.Latency.Max() > 2*time.Millisecond {
				t.Errorf("%d sent, want %d to %d; latency up to %v", got.Sent, low, high, got.Latency.Max())
			}
			faults, _ := s.load.Finish(nil)
			if faults.Total() > 0 {
				t.Errorf("%+v", faults)
			}
		})
	}
}
