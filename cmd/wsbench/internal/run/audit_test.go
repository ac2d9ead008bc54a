package run

import (
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// measured is a run of ten seconds on four cores, after all samples are taken.
// The client's loops can use two of the cores.
func measured(change func(r *running)) *running {
	const seconds = 10
	r := &running{
		o:     &Options{Plan: load.Plan{Scenario: load.Echo, Rate: 1000}, Target: drive.Target{URL: "ws://127.0.0.1/"}},
		crew:  &crew{},
		ready: 5,
		res:   &result.Result{Machine: host.Machine{Cores: 4, Usable: 4}, Workers: []result.WorkerNote{{Threads: 2, Machine: host.Machine{Usable: 4}}}, Seconds: seconds},
	}
	r.res.Plan = r.o.Plan
	for range 1000 {
		r.res.Total.Latency.Record(int64(2 * time.Millisecond))
		r.res.Total.Late.Record(int64(50 * time.Microsecond))
		r.res.Total.Lag.Record(int64(20 * time.Microsecond))
	}
	r.res.Total.Received = 1000
	zero, server := host.Own{}, host.Usage{CPU: time.Second, RSS: 1 << 20}
	r.before = samples{server: &server}
	r.start = samples{own: []host.Own{zero}, server: &server}
	used := host.Own{Usage: host.Usage{CPU: 5 * time.Second}, Machine: host.Times{Busy: 12 * time.Second}}
	after := host.Usage{CPU: 7 * time.Second, RSS: 3 << 20}
	r.last = samples{at: seconds * int64(time.Second), own: []host.Own{used}, here: used, server: &after}
	if change != nil {
		change(r)
	}
	r.audit()
	return r
}

func TestAudit(t *testing.T) {
	r := measured(nil)
	a := r.res.Audit
	if a.CPU != 0.5 || a.Share != 0.25 || len(a.Bottleneck) != 0 {
		t.Errorf("%+v", a)
	}
	if s := r.res.Server; s.CPU != 0.6 || s.PerMessage != 6*time.Millisecond || s.RSS != 3<<20 || s.RSSBefore != 1<<20 {
		t.Errorf("%+v", s)
	}
	for _, w := range r.res.Warnings {
		if !strings.Contains(w, "governor") { // that of the machine the test runs on
			t.Errorf("warning: %s", w)
		}
	}
	for want, change := range map[string]func(r *running){
		"busy for 95% of the time": func(r *running) { r.last.own[0].CPU = 19 * time.Second },
		"sent more than 5": func(r *running) {
			for range 20 {
				r.res.Total.Late.Record(int64(5 * time.Millisecond))
			}
		},
		"late when called (p99)": func(r *running) {
			for range 20 {
				r.res.Total.Lag.Record(int64(3 * time.Millisecond))
			}
		},
		"7 messages that were due were never sent": func(r *running) { r.res.Total.Postponed = 7 },
	} {
		got := strings.Join(measured(change).res.Audit.Bottleneck, "; ")
		if !strings.Contains(got, want) {
			t.Errorf("%q; want %q", got, want)
		}
	}
	for want, change := range map[string]func(r *running){
		"took 5.0% of the CPU for others": func(r *running) { r.last.here.Machine.Steal = 2 * time.Second },
		"other programs used 22%":         func(r *running) { r.last.here.Machine.Busy = 20 * time.Second },
		"stopped it for up to 9ms": func(r *running) {
			r.last.own[0].GCs, r.last.own[0].Pauses = 3, []host.Pause{{To: 9 * time.Millisecond, Count: 1}}
		},
	} {
		got := strings.Join(measured(change).res.Warnings, "; ")
		if !strings.Contains(got, want) {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestWeigh(t *testing.T) {
	r := &running{o: &Options{Target: drive.Target{URL: "ws://127.0.0.1/"}}, res: &result.Result{}, ready: 600}
	usage := func(rss int64) *host.Usage { return &host.Usage{RSS: rss} }
	r.before = samples{server: usage(1_000_000)}
	all := samples{server: usage(2_600_000), here: host.Own{Memory: host.Kernel{Slab: 1_000_000, Buffers: 200_000}}}
	r.weigh(samples{server: usage(1_600_000)}, 100, all)
	if got := *r.res.Idle; got.PerConn != 2000 || got.FromZero != 1_600_000.0/600 || got.Kernel != 1000 || !got.BothEnds {
		t.Errorf("%+v", got)
	}
}

func TestProcesses(t *testing.T) {
	for _, c := range []struct{ members, fit, want int }{{100, 1000, 1}, {1000, 1000, 1}, {1001, 1000, 2}, {60_000, 19_400, 4}} {
		if got, err := processes(c.members, c.fit); got != c.want || err != nil {
			t.Errorf("%d by %d: %d, %v", c.members, c.fit, got, err)
		}
	}
	if _, err := processes(1_000_000, 400); err == nil || !strings.Contains(err.Error(), "ulimit -Hn") {
		t.Errorf("too many: %v", err)
	}
	if _, err := processes(10, -50); err == nil {
		t.Error("no room for any is taken")
	}
}
