package run

import (
	"fmt"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// When the client counts as the limit of the run.
const (
	busyShare = 0.9                    // of the cores that its loops can use
	maxLate   = time.Millisecond       // p99 of a sender's lateness, or
	lateShare = 0.1                    // of the latency's p99, whichever is more
	maxLag    = 500 * time.Microsecond // p99 of a loop's lag, or
	lagShare  = 0.5                    // of the latency's p99
)

// When other processes count as a disturbance.
const (
	maxSteal = 0.01 // of the machine's time
	maxOther = 0.1  // of the machine's time, neither ours nor the server's
)

// fewIdle is how many connections it takes for their kernel memory to stand out.
const fewIdle = 1000

// weigh says what idle connections cost.
func (r *running) weigh(sixth samples, sixthReady int, all samples) {
	idle := &result.Idle{Conns: r.ready}
	r.res.Idle = idle
	if r.ready == 0 {
		return
	}
	idle.BothEnds = len(r.o.Agents) == 0 && loopback(r.o.Target.URL)
	grown := float64(all.here.Memory.Slab + all.here.Memory.Buffers - r.before.here.Memory.Slab - r.before.here.Memory.Buffers)
	idle.Kernel = grown / float64(r.ready)
	if idle.BothEnds {
		idle.Kernel /= 2
	}
	if r.ready < fewIdle {
		r.res.Warnings = append(r.res.Warnings, fmt.Sprintf("the kernel's memory is the whole machine's: divided among fewer than %d connections it says little", fewIdle))
	}
	if all.server == nil {
		return
	}
	idle.FromZero = float64(all.server.RSS-r.before.server.RSS) / float64(r.ready)
	idle.PerConn = idle.FromZero
	if sixthReady > 0 && r.ready > sixthReady {
		idle.PerConn = float64(all.server.RSS-sixth.server.RSS) / float64(r.ready-sixthReady)
	}
}

func loopback(url string) bool {
	_, rest, _ := strings.Cut(url, "://")
	return strings.HasPrefix(rest, "127.") || strings.HasPrefix(rest, "localhost") || strings.HasPrefix(rest, "[::1]")
}

// audit judges the run itself.
func (r *running) audit() {
	res := r.res
	seconds := float64(r.last.at-r.start.at) / 1e9
	r.serverUse(seconds)
	a := &res.Audit
	a.LateP99, a.LateMax = res.Total.Late.Percentile(99), res.Total.Late.Max()
	a.LagP99, a.LagMax = res.Total.Lag.Percentile(99), res.Total.Lag.Max()
	for i, own := range r.last.own {
		cpu := (own.CPU - r.start.own[i].CPU).Seconds() / seconds
		a.GCs += own.GCs - r.start.own[i].GCs
		a.GCPause = max(a.GCPause, own.LongestPause(&r.start.own[i]))
		if cpu >= a.CPU {
			a.CPU = cpu
			cores := res.Workers[i].Machine.Usable
			if t := res.Workers[i].Threads; t > 0 {
				cores = min(cores, t)
			}
			a.Share = cpu / float64(max(cores, 1))
		}
	}
	tail := res.Total.Latency.Percentile(99)
	say := func(format string, args ...any) { a.Bottleneck = append(a.Bottleneck, fmt.Sprintf(format, args...)) }
	if a.Share >= busyShare {
		say("its event loops were busy for %.0f%% of the time", 100*a.Share)
	}
	if most := max(maxLate, time.Duration(lateShare*float64(tail))); a.LateP99 > most && r.o.Plan.Open() {
		what := "messages was sent"
		if r.o.Plan.Cycles() {
			what = "connections was begun"
		}
		say("one in a hundred "+what+" more than %v after it was due", a.LateP99.Round(time.Microsecond))
	}
	if most := max(maxLag, time.Duration(lagShare*float64(tail))); a.LagP99 > most && r.o.Plan.Scenario != load.Idle {
		say("its event loops came up to %v late when called (p99)", a.LagP99.Round(time.Microsecond))
	}
	if res.Total.Postponed > 0 && res.Total.Broken == 0 && r.ready > 0 && res.Plan.Scenario != load.Connect && res.Plan.Scenario != load.Churn {
		say("%d messages that were due were never sent", res.Total.Postponed)
	}
	r.disturbances(seconds)
}

func (r *running) serverUse(seconds float64) {
	if r.last.server == nil {
		return
	}
	s := &result.Server{RSSBefore: r.before.server.RSS, RSS: r.last.server.RSS}
	used := r.last.server.CPU - r.start.server.CPU
	s.CPU = used.Seconds() / seconds
	if n := r.res.Total.Received; n > 0 {
		s.PerMessage = used / time.Duration(n)
	}
	s.PerConn = r.res.Ramp.ServerCPU
	if n := r.res.Total.Opened; r.o.Plan.Cycles() && n > 0 {
		s.PerConn = used / time.Duration(n)
	}
	for _, v := range r.res.Intervals {
		s.RSSMax = max(s.RSSMax, v.ServerRSS)
	}
	r.res.Server = s
}

// disturbances warns of what spoils a run.
func (r *running) disturbances(seconds float64) {
	warn := func(format string, args ...any) {
		r.res.Warnings = append(r.res.Warnings, fmt.Sprintf(format, args...))
	}
	m := r.res.Machine
	for _, g := range host.Governors() {
		if g != "performance" {
			warn("the CPU frequency governor is %s: speed depends on load (cpupower frequency-set -g performance)", g)
		}
	}
	cores := float64(max(m.Cores, 1))
	steal := (r.last.here.Machine.Steal - r.start.here.Machine.Steal).Seconds() / seconds / cores
	if steal > maxSteal {
		warn("the hypervisor took %.1f%% of the CPU for others (steal)", 100*steal)
	}
	if len(r.o.Agents) == 0 {
		other := (r.last.here.Machine.Busy - r.start.here.Machine.Busy).Seconds()
		for i := range r.last.own {
			other -= (r.last.own[i].CPU - r.start.own[i].CPU).Seconds()
		}
		watched := r.last.server != nil && r.o.ServerAgent == ""
		if watched {
			other -= (r.last.server.CPU - r.start.server.CPU).Seconds()
		}
		if share := other / seconds / cores; share > maxOther && (watched || !loopback(r.o.Target.URL)) {
			warn("other programs used %.0f%% of the machine meanwhile", 100*share)
		}
	}
	for _, pid := range r.o.Server.PIDs {
		if r.o.ServerAgent == "" && len(r.o.Agents) == 0 && host.Overlap(r.o.CPUs, pid) {
			warn("the server and wsbench may run on the same cores, and slow each other down (taskset -c, or wsbench compare)")
			break
		}
	}
	if r.res.Audit.GCPause > r.res.Total.Latency.Percentile(99) && r.res.Total.Latency.Count() > 0 && r.res.Audit.GCs > 0 {
		warn("wsbench's own garbage collector stopped it for up to %v, more than the latency's p99", r.res.Audit.GCPause.Round(time.Microsecond))
	}
}
