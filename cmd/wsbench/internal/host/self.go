package host

import (
	"os"
	"runtime/metrics"
	"time"
)

// Own is what this process has used and suffered.
type Own struct {
	Usage
	GCs     uint64        `json:"gcs"`         // collections since it began
	GCPause time.Duration `json:"gc_pause_ns"` // the longest stop so far, as an upper bound
	Memory  Kernel        `json:"kernel"`
	Machine Times         `json:"machine"`
}

// Self reads it.
func Self() (o Own) {
	o.Usage, _ = processUsage(os.Getpid())
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(samples)
	o.GCs = samples[0].Value.Uint64()
	if h := samples[1].Value; h.Kind() == metrics.KindFloat64Histogram {
		for i, n := range h.Float64Histogram().Counts {
			if n > 0 && i+1 < len(h.Float64Histogram().Buckets)-1 {
				o.GCPause = time.Duration(h.Float64Histogram().Buckets[i+1] * 1e9)
			}
		}
	}
	o.Memory = KernelMemory()
	o.Machine = CPUTimes()
	return o
}
