package chat

import (
	"math"
	"sort"
	"sync/atomic"
)

// Measured is a Health that has figures about itself. Engines need not have any.
type Measured interface {
	// Figures are as they stand now. The names and kinds are the same at every call.
	Figures() []Figure
}

// Figure is something that an engine counts or measures.
type Figure struct {
	// Name is in the way of Prometheus, without a prefix: a noun with its unit, such as
	// sync_seconds, or with _total at its end if it only grows.
	Name string
	Help string // one sentence
	Kind FigureKind

	Value     float64       // of a Counter or Gauge
	Histogram HistogramData // of a Distribution
}

// FigureKind is how a Figure behaves.
type FigureKind uint8

const (
	Counter      FigureKind = iota // only grows, until the process ends
	Gauge                          // goes up and down
	Distribution                   // of observed values
)

// Histogram counts observed values by size. It is safe for concurrent use, and observing
// allocates nothing.
type Histogram struct {
	bounds []float64 // Immutable.
	counts []atomic.Uint64
	sum    atomic.Uint64 // as math.Float64bits
}

// NewHistogram has a bucket up to each bound, which ascend, and one for what is larger.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	h.counts[sort.SearchFloat64s(h.bounds, v)].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// Data is what has been observed so far.
func (h *Histogram) Data() HistogramData {
	d := HistogramData{Sum: math.Float64frombits(h.sum.Load()), UpTo: make(map[float64]uint64, len(h.bounds))}
	for i, bound := range h.bounds {
		d.Count += h.counts[i].Load()
		d.UpTo[bound] = d.Count
	}
	d.Count += h.counts[len(h.bounds)].Load()
	return d
}

// HistogramData is what a Histogram holds.
type HistogramData struct {
	Count uint64
	Sum   float64
	UpTo  map[float64]uint64 // by bound: how many values are not larger
}
