package chat

import (
	"math"
	"sort"
	"sync/atomic"
)

// Measured is a Health that also has figures for monitoring. Engines need not have any.
type Measured interface {
	// Figures returns the current figures. Their names and kinds are the same at every
	// call.
	Figures() []Figure
}

// Figure is something that an engine counts or measures.
type Figure struct {
	// Name follows Prometheus's conventions, without a prefix: a noun with its unit, such
	// as sync_seconds, and ending in _total if the figure only grows.
	Name string
	Help string // one sentence
	Kind FigureKind

	Value     float64       // of a Counter or Gauge
	Histogram HistogramData // of a Distribution
}

// FigureKind is the kind of a Figure.
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

// NewHistogram returns a histogram with a bucket up to each of the bounds, which must be
// ascending, and one for larger values.
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

// Data returns what has been observed so far.
func (h *Histogram) Data() HistogramData {
	d := HistogramData{Sum: math.Float64frombits(h.sum.Load()), UpTo: make(map[float64]uint64, len(h.bounds))}
	for i, bound := range h.bounds {
		d.Count += h.counts[i].Load()
		d.UpTo[bound] = d.Count
	}
	d.Count += h.counts[len(h.bounds)].Load()
	return d
}

// HistogramData is the content of a Histogram.
type HistogramData struct {
	Count uint64
	Sum   float64
	UpTo  map[float64]uint64 // by bound: how many values do not exceed it
}
