package host

import (
	"os"
	"runtime/metrics"
	"time"
)

// Own is what this process has used, and what has slowed it down.
type Own struct {
	Usage
	GCs     uint64  `json:"gcs"` // collections since it began
	Pauses  []Pause `json:"pauses,omitempty"`
	Memory  Kernel  `json:"kernel"`
	Machine Times   `json:"machine"`
}

// Pause counts the times that the collector has stopped the process for up to To, and for
// longer than the previous Pause in the list.
type Pause struct {
	To    time.Duration `json:"to_ns"`
	Count uint64        `json:"count"`
}

// LongestPause is the longest stop after then, as an upper bound; 0 if there was none.
func (o *Own) LongestPause(then *Own) (longest time.Duration) {
	before := map[time.Duration]uint64{}
	for _, p := range then.Pauses {
		before[p.To] = p.Count
	}
	for _, p := range o.Pauses {
		if p.Count > before[p.To] {
			longest = max(longest, p.To)
		}
	}
	return longest
}

// Self returns this process's Own.
func Self() (o Own) {
	o.Usage, _ = processUsage(os.Getpid())
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(samples)
	o.GCs = samples[0].Value.Uint64()
	if h := samples[1].Value; h.Kind() == metrics.KindFloat64Histogram {
		to := h.Float64Histogram().Buckets[1:]
		for i, n := range h.Float64Histogram().Counts {
			if n > 0 && i < len(to)-1 {
				o.Pauses = append(o.Pauses, Pause{time.Duration(to[i] * 1e9), n})
			}
		}
	}
	o.Memory = KernelMemory()
	o.Machine = CPUTimes()
	return o
}
