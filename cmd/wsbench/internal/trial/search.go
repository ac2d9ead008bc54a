package trial

import (
	"context"
	"fmt"
	"math"
)

// Outcome is the result of a probe.
type Outcome struct {
	Load   float64 // what was asked for
	Holds  bool
	Why    string // what did not hold, or what was found
	Client bool   // the client was the bottleneck, so it says nothing about the server
}

// Found is the result of a search.
type Found struct {
	Load   float64 // the highest that held; 0 if none did
	Next   float64 // the lowest that did not; 0 if none was found
	Probes []Outcome
	Client bool // the client could do no more, the server perhaps could
}

// Search looks for the highest load that holds, up to limit. It doubles the first load
// until one fails, and then halves the gap until that is within precision, a share of the
// load. A load that fails, or that the client is too slow for, is tried once more, because
// a disturbance must not decide. first, limit and precision must be positive.
func Search(ctx context.Context, first, limit, precision float64, probe func(ctx context.Context, load float64) (Outcome, error)) (f Found, err error) {
	try := func(load float64) (Outcome, error) {
		for attempt := 0; ; attempt++ {
			o, err := probe(ctx, load)
			if err != nil {
				return o, err
			}
			o.Load = load
			f.Probes = append(f.Probes, o)
			if o.Holds && !o.Client || attempt == 1 {
				return o, nil
			}
		}
	}
	first = min(first, limit)
	load := first
	for f.Next == 0 || f.Next-f.Load > precision*f.Next {
		o, err := try(load)
		if err != nil {
			return f, err
		}
		switch {
		case o.Client:
			f.Client = true
			return f, nil
		case o.Holds:
			f.Load = load
			if f.Next == 0 {
				if load >= limit {
					return f, nil
				}
				load = min(2*load, limit)
				continue
			}
		default:
			f.Next = load
			if f.Load == 0 && load <= first/1024 {
				return f, nil
			}
		}
		if f.Load == 0 {
			load = f.Next / 2
		} else {
			load = (f.Load + f.Next) / 2
		}
		load = rounded(load)
		if load <= f.Load || f.Next > 0 && load >= f.Next {
			return f, nil // no number in between
		}
	}
	return f, nil
}

// rounded keeps three digits, so that the loads are readable.
func rounded(v float64) float64 {
	if v < 1000 {
		return math.Round(v)
	}
	p := math.Pow(10, math.Floor(math.Log10(v))-2)
	return math.Round(v/p) * p
}

// SoFar says what a search that ended early had found.
func (f Found) SoFar() string {
	if f.Next == 0 {
		return fmt.Sprintf("%g holds; more was not tried", f.Load)
	}
	return fmt.Sprintf("%g holds, %g does not; loads in between were not tried", f.Load, f.Next)
}

// String says what was found.
func (f Found) String() string {
	switch {
	case f.Client && f.Load == 0:
		return "wsbench itself was the bottleneck from the beginning: nothing can be said about the server"
	case f.Client:
		return fmt.Sprintf("at least %g; beyond it wsbench itself was the bottleneck (more cores, processes or agents)", f.Load)
	case f.Load == 0:
		return fmt.Sprintf("none: not even %g holds", f.Next)
	case f.Next == 0:
		return fmt.Sprintf("%g, the maximum to be tried", f.Load)
	}
	return fmt.Sprintf("%g holds, %g does not", f.Load, f.Next)
}
