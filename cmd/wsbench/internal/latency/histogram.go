package latency

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// longest is what a longer duration counts as.
const longest = int64(time.Hour)

// Histogram is a set of durations. The zero value is empty and takes no memory
// until something is recorded. It is not safe for concurrent use.
type Histogram struct {
	h      *hdr.Histogram // nil: empty, or packed
	packed *packed
	max    int64 // exact; the histogram has three digits
	over   int64 // how many were longer than an hour, and are kept as one hour
}

// packed is a histogram in its encoded form, and its most used values.
type packed struct {
	b           []byte
	count, mean int64
	at          [len(common)]int64
}

// common are the percentiles that packing keeps ready.
var common = [...]float64{50, 90, 99, 99.9, 99.99}

func newHDR() *hdr.Histogram { return hdr.New(1, longest, 3) }

// Pack makes h small: some hundred bytes instead of hundreds of thousands. It can be used
// as before, but values other than the common ones are unpacked each time.
func (h *Histogram) Pack() {
	if h.h == nil {
		return
	}
	if h.Count() > 0 {
		p := &packed{b: encode(h.h), count: h.Count(), mean: int64(h.Mean())}
		for i, q := range common {
			p.at[i] = int64(h.Percentile(q))
		}
		h.packed = p
	}
	h.h = nil
}

func encode(h *hdr.Histogram) []byte {
	b, err := h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		panic("latency: internal error: " + err.Error())
	}
	return b
}

// open returns what h holds, or nil.
func (h *Histogram) open() *hdr.Histogram {
	switch {
	case h == nil:
		return nil
	case h.packed == nil:
		return h.h
	}
	in, err := hdr.Decode(h.packed.b) // our own: as newHDR makes them
	if err != nil {
		panic("latency: internal error: " + err.Error())
	}
	return in
}

// unpack prepares h for changes.
func (h *Histogram) unpack() *hdr.Histogram {
	if h.packed != nil {
		h.h, h.packed = h.open(), nil
	}
	if h.h == nil {
		h.h = newHDR()
	}
	return h.h
}

// Record adds one duration in nanoseconds. A negative one counts as zero.
func (h *Histogram) Record(ns int64) {
	if h.h == nil {
		h.unpack()
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
	in := o.open()
	if in == nil {
		return
	}
	h.unpack().Merge(in)
	h.max = max(h.max, o.max)
	h.over += o.over
}

// Take returns a copy and empties h.
func (h *Histogram) Take() Histogram {
	if h.Count() == 0 {
		return Histogram{}
	}
	out := Histogram{h: h.unpack().Clone(), max: h.max, over: h.over}
	h.h.Reset()
	h.max, h.over = 0, 0
	return out
}

// Count is the number of durations.
func (h *Histogram) Count() int64 {
	switch {
	case h == nil:
		return 0
	case h.packed != nil:
		return h.packed.count
	case h.h == nil:
		return 0
	}
	return h.h.TotalCount()
}

// Over is how many of them were longer than an hour and are kept as one hour.
func (h *Histogram) Over() int64 { return h.over }

// Percentile returns the duration that p percent of the durations do not exceed; 0 if h is
// empty.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	if p >= 100 {
		return time.Duration(h.max)
	}
	if h.packed != nil {
		if i := slices.Index(common[:], p); i >= 0 {
			return time.Duration(h.packed.at[i])
		}
	}
	return time.Duration(min(h.open().ValueAtPercentile(p), h.max))
}

// Max is the longest.
func (h *Histogram) Max() time.Duration { return h.Percentile(100) }

// Mean is the arithmetic mean; 0 if empty.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	if h.packed != nil {
		return time.Duration(h.packed.mean)
	}
	return time.Duration(math.Round(h.h.Mean()))
}

// Buckets calls f for each filled bucket, the shortest first, with the longest
// duration that falls into it and how many did.
func (h *Histogram) Buckets(f func(to time.Duration, count int64)) {
	if h.Count() == 0 {
		return
	}
	for _, b := range h.open().Distribution() {
		if b.Count > 0 {
			f(time.Duration(min(b.To, h.max)), b.Count)
		}
	}
}

// wire is the JSON form: the histogram in HdrHistogram's V2 encoding, which other tools
// can read, and what that encoding has no place for. The percentiles are for readers
// without such a tool.
type wire struct {
	HDR   string `json:"hdr"`
	Count int64  `json:"count"`
	Mean  int64  `json:"mean_ns"`
	P50   int64  `json:"p50_ns"`
	P90   int64  `json:"p90_ns"`
	P99   int64  `json:"p99_ns"`
	P999  int64  `json:"p99.9_ns"`
	P9999 int64  `json:"p99.99_ns"`
	Max   int64  `json:"max_ns"`
	Over  int64  `json:"over_an_hour,omitempty"`
}

// MarshalJSON encodes h; an empty one is null.
func (h Histogram) MarshalJSON() ([]byte, error) {
	h.Pack() // the copy
	if h.packed == nil {
		return []byte("null"), nil
	}
	p := h.packed
	return json.Marshal(wire{
		HDR: string(p.b), Count: p.count, Mean: p.mean,
		P50: p.at[0], P90: p.at[1], P99: p.at[2], P999: p.at[3], P9999: p.at[4], Max: h.max, Over: h.over,
	})
}

// UnmarshalJSON decodes what MarshalJSON encoded.
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
		// The library uses values in the encoding as indexes.
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
