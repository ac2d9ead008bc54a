package plot

import (
	"fmt"
	"math"
	"strings"
)

// Scale is how values are laid out along an axis.
type Scale uint8

const (
	// Linear begins at zero.
	Linear Scale = iota
	// Binary begins at zero, too, and is labelled at powers of two.
	Binary
	// Log is for positive values over several magnitudes.
	Log
	// Tail is for percentiles: each further nine takes the same space.
	Tail
)

// axis maps values to 0 … 1.
type axis struct {
	scale    Scale
	min, max float64
	format   func(float64) string
}

// newAxis covers the values.
func newAxis(s Scale, values []float64, format func(float64) string) axis {
	a := axis{scale: s, min: math.Inf(1), max: math.Inf(-1), format: format}
	for _, v := range values {
		if s == Log && v <= 0 || s == Tail && v >= 100 {
			continue
		}
		a.min, a.max = min(a.min, v), max(a.max, v)
	}
	if math.IsInf(a.min, 1) {
		a.min, a.max = 1, 2
	}
	switch s {
	case Linear, Binary:
		a.min = min(a.min, 0)
		if a.max <= a.min {
			a.max = a.min + 1
		}
		if ticks := a.ticks(); a.max > 0 && len(ticks) > 1 {
			step := ticks[1] - ticks[0]
			a.max = math.Ceil(a.max/step-1e-9) * step
		}
	case Log:
		a.min, a.max = niceBelow(a.min), niceAbove(a.max)
		if a.max <= a.min {
			a.max = 10 * a.min
		}
	case Tail:
		a.min = 0
		a.max = max(a.max, 99)
	}
	return a
}

// niceBelow and niceAbove are the nearest 1, 2 or 5 times a power of ten.
func niceBelow(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{5, 2} {
		if v >= f*p {
			return f * p
		}
	}
	return p
}

func niceAbove(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*p*(1+1e-9) {
			return f * p
		}
	}
	return 10 * p
}

// at is a value's place.
func (a axis) at(v float64) float64 {
	f := func(v float64) float64 { return v }
	switch a.scale {
	case Log:
		f = func(v float64) float64 { return math.Log10(max(v, a.min)) }
	case Tail:
		f = func(v float64) float64 { return -math.Log10(1 - min(v, a.max)/100) }
	}
	return (f(v) - f(a.min)) / (f(a.max) - f(a.min))
}

// ticks are where the axis is labelled.
func (a axis) ticks() (list []float64) {
	switch a.scale {
	case Tail:
		for _, p := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
			if p <= a.max*(1+1e-12) {
				list = append(list, p)
			}
		}
	case Log:
		all := math.Log10(a.max/a.min) > 3
		for p := math.Pow(10, math.Floor(math.Log10(a.min))); p <= a.max*(1+1e-9); p *= 10 {
			for _, f := range []float64{1, 2, 5} {
				if v := f * p; v >= a.min*(1-1e-9) && v <= a.max*(1+1e-9) && (f == 1 || !all) {
					list = append(list, v)
				}
			}
		}
	default:
		step := niceAbove((a.max - a.min) / 6)
		if a.scale == Binary {
			step = math.Exp2(math.Ceil(math.Log2((a.max - a.min) / 6)))
		}
		for i := 0; ; i++ {
			v := math.Ceil(a.min/step)*step + float64(i)*step
			if v > a.max+step*1e-6 {
				break
			}
			list = append(list, v)
		}
	}
	return list
}

// Formats of values.

// Count prints a number, with k, M or G.
func Count(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if math.Abs(v) >= u.size {
			return trim(v/u.size) + u.name
		}
	}
	return trim(v)
}

// Bytes prints a size, in powers of 1,024.
func Bytes(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}} {
		if math.Abs(v) >= u.size {
			return trim(v/u.size) + u.name
		}
	}
	return trim(v) + " B"
}

// Nanoseconds prints a time.
func Nanoseconds(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, " s"}, {1e6, " ms"}, {1e3, " µs"}} {
		if math.Abs(v) >= u.size*(1-1e-9) {
			return trim(v/u.size) + u.name
		}
	}
	return trim(v) + " ns"
}

// Seconds prints a time in seconds.
func Seconds(v float64) string { return trim(v) + " s" }

// Percentile prints p50 as 50%.
func Percentile(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%g", v), ".0") + "%" }

// trim prints three digits and no idle zeros.
func trim(v float64) string {
	s := fmt.Sprintf("%.3g", v)
	if strings.Contains(s, "e") {
		s = fmt.Sprintf("%.0f", v)
	}
	return s
}
