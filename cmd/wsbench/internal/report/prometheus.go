package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// Prometheus writes a run in Prometheus's text format, for the textfile collector of
// node_exporter. It may be a run that goes on: over says whether it has ended.
func Prometheus(w io.Writer, r *result.Result, over bool) error {
	p := promWriter{w: w, labels: fmt.Sprintf("scenario=%q", r.Plan.Scenario)}
	for _, t := range result.Trends {
		h, before := t.Of(r)
		if h.Count() == 0 {
			continue
		}
		name := "latency"
		if t.Name != "" {
			name = t.Name
		}
		help := "Seconds of " + t.Title
		if before {
			help += ", before the load"
		}
		name = "wsbench_" + name + "_seconds"
		p.head(name, help+".", "summary")
		for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 0.9999, 1} {
			p.value(name, h.Percentile(100*q).Seconds(), fmt.Sprintf(`quantile="%g"`, q))
		}
		p.value(name+"_sum", h.Mean().Seconds()*float64(h.Count()))
		p.value(name+"_count", float64(h.Count()))
	}
	for _, m := range result.Metrics(r) {
		v := m.Value(r)
		if m.Trend || math.IsNaN(v) {
			continue
		}
		name := "wsbench_" + m.Name
		switch m.Unit {
		case result.Nanoseconds:
			name, v = name+"_seconds", v/1e9
		case result.Bytes:
			name += "_bytes"
		}
		p.head(name, strings.ToUpper(m.Title[:1])+m.Title[1:]+".", "gauge")
		p.value(name, v)
	}
	p.head("wsbench_over", "Whether the run has ended.", "gauge")
	p.value("wsbench_over", map[bool]float64{true: 1}[over])
	return p.err
}

type promWriter struct {
	w      io.Writer
	labels string
	err    error
}

func (p *promWriter) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *promWriter) head(name, help, kind string) {
	p.printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *promWriter) value(name string, v float64, more ...string) {
	p.printf("%s{%s} %g\n", name, strings.Join(append([]string{p.labels}, more...), ","), v)
}
