package trial

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Median returns the middle value; NaN if there is none.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Estimate is a value and its confidence interval.
type Estimate struct {
	Value, Low, High float64
}

// Holds reports whether the interval contains v.
func (i Estimate) Holds(v float64) bool { return i.Low <= v && v <= i.High }

const (
	resamples  = 5_000
	confidence = 0.95
	// minRounds is how many rounds it takes to claim a difference: with fewer,
	// resampling gives intervals that are too narrow.
	minRounds = 5
)

// MedianInterval returns the median of v with its bootstrap interval.
func MedianInterval(v []float64, seed uint64) Estimate {
	return bootstrap(len(v), seed, func(pick []int) float64 {
		s := make([]float64, len(pick))
		for i, k := range pick {
			s[i] = v[k]
		}
		return Median(s)
	})
}

// Ratio returns the median of b divided by that of a, with its bootstrap interval. Values
// are paired by round, because what disturbed a round disturbed both.
func Ratio(a, b []float64, seed uint64) Estimate {
	n := min(len(a), len(b))
	return bootstrap(n, seed, func(pick []int) float64 {
		x, y := make([]float64, n), make([]float64, n)
		for i, k := range pick {
			x[i], y[i] = a[k], b[k]
		}
		return Median(y) / Median(x)
	})
}

// bootstrap evaluates a statistic on the n values, and on many samples of them that are
// drawn with replacement: the inner 95 % of those results are the interval.
func bootstrap(n int, seed uint64, f func(pick []int) float64) Estimate {
	if n == 0 {
		return Estimate{math.NaN(), math.NaN(), math.NaN()}
	}
	r := rand.New(rand.NewPCG(seed, 0))
	pick := make([]int, n)
	for i := range pick {
		pick[i] = i
	}
	out := Estimate{Value: f(pick)}
	got := make([]float64, 0, resamples)
	for range resamples {
		for i := range pick {
			pick[i] = r.IntN(n)
		}
		if v := f(pick); !math.IsNaN(v) {
			got = append(got, v)
		}
	}
	if len(got) == 0 {
		return Estimate{out.Value, math.NaN(), math.NaN()}
	}
	slices.Sort(got)
	tail := (1 - confidence) / 2
	out.Low = got[int(tail*float64(len(got)))]
	out.High = got[min(int((1-tail)*float64(len(got))), len(got)-1)]
	return out
}

// Verdict says what a ratio shows.
func Verdict(ratio Estimate, rounds int) string {
	switch {
	case math.IsNaN(ratio.Value) || math.IsNaN(ratio.Low):
		return "not measured"
	case rounds < minRounds:
		return "too few rounds to say"
	case ratio.Holds(1):
		return "no difference shown"
	case ratio.Value < 1:
		return "lower"
	}
	return "higher"
}
