package latency

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// longest is what a longer duration counts as.
const longest = int64(time.Hour)

// Histogram is a set of durations. The zero value is empty and takes no memory
// until something is recorded. It is not safe for concurrent use.
type Histogram struct {
	h    *hdr.Histogram
	max  int64 // exact, where the histogram knows three digits
	over int64 // how many were longer than an hour, and count as one
}

func newHDR() *hdr.Histogram { return hdr.New(1, longest, 3) }

// Record adds one duration in nanoseconds. A negative one counts as zero.
func (h *Histogram) Record(ns int64) {
	if h.h == nil {
		h.h = newHDR()
	}
	if ns > longest {
		h.over++
		ns = longest
	}
	ns = max(ns, 0)
	h.max = max(h.max, ns)
	if err := h.h.RecordValue(ns); err != nil {
		panic("latency: internal error: " + err.Error())
	}
}

// Add adds what o holds.
func (h *Histogram) Add(o *Histogram) {
	if o == nil || o.h == nil {
		return
	}
	if h.h == nil {
		h.h = newHDR()
	}
	h.h.Merge(o.h)
	h.max = max(h.max, o.max)
	h.over += o.over
}

// Take returns a copy and empties h.
func (h *Histogram) Take() Histogram {
	if h.h == nil || h.h.TotalCount() == 0 {
		return Histogram{}
	}
	out := Histogram{h.h.Clone(), h.max, h.over}
	h.h.Reset()
	h.max, h.over = 0, 0
	return out
}

// Count is the number of durations.
func (h *Histogram) Count() int64 {
	if h == nil || h.h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Over is how many of them were longer than an hour and are kept as one hour.
func (h *Histogram) Over() int64 { return h.over }

// Percentile is the duration that p percent are not longer than; 0 if empty.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	if p >= 100 {
		return time.Duration(h.max)
	}
	return time.Duration(min(h.h.ValueAtPercentile(p), h.max))
}

// Max is the longest.
func (h *Histogram) Max() time.Duration { return h.Percentile(100) }

// Mean is the arithmetic mean; 0 if empty.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(math.Round(h.h.Mean()))
}

// Buckets calls f for each filled bucket, the shortest first, with the longest
// duration that falls into it and how many did.
func (h *Histogram) Buckets(f func(to time.Duration, count int64)) {
	if h.Count() == 0 {
		return
	}
	for _, b := range h.h.Distribution() {
		if b.Count > 0 {
			f(time.Duration(min(b.To, h.max)), b.Count)
		}
	}
}

// wire is the JSON form: the histogram as HdrHistogram's own V2 encoding,
// which other tools read, and what that has no place for.
type wire struct {
	HDR   string `json:"hdr"`
	Count int64  `json:"count"`
	Max   int64  `json:"max_ns"`
	Over  int64  `json:"over_an_hour,omitempty"`
}

// MarshalJSON encodes h; an empty one is null.
func (h Histogram) MarshalJSON() ([]byte, error) {
	if h.Count() == 0 {
		return []byte("null"), nil
	}
	b, err := h.h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, err
	}
	return json.Marshal(wire{string(b), h.Count(), h.max, h.over})
}

// UnmarshalJSON is the inverse. What is not a histogram is an error.
func (h *Histogram) UnmarshalJSON(b []byte) (err error) {
	*h = Histogram{}
	if string(b) == "null" {
		return nil
	}
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	defer func() {
		// The library indexes by what the encoding says.
		if r := recover(); r != nil {
			err = fmt.Errorf("histogram: damaged: %v", r)
		}
	}()
	in, err := hdr.Decode([]byte(w.HDR))
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	h.h = newHDR()
	if dropped := h.h.Merge(in); dropped > 0 || h.h.TotalCount() != w.Count {
		return fmt.Errorf("histogram: holds %d of the %d it names", h.h.TotalCount(), w.Count)
	}
	h.max, h.over = w.Max, w.Over
	return nil
}
