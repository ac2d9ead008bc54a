package result

import (
	"math"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/latency"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

// Metric is a quantity that a run has measured. Conditions, diffs, comparisons and all
// forms of output name the same ones.
type Metric struct {
	Name   string // in conditions, for example last.p99
	Title  string
	Unit   Unit
	Higher bool // is better
	Trend  bool // it is a quantile of a trend
	of     func(*Result) float64
}

// Unit is the unit of a metric's values.
type Unit string

const (
	PerSecond   Unit = "/s"
	Nanoseconds Unit = "ns"
	Bytes       Unit = "bytes"
	Count       Unit = ""
	Share       Unit = "of 1"
)

// Value returns the metric of a run. NaN is one that the run has not measured.
func (m Metric) Value(r *Result) float64 { return m.of(r) }

// Trend is a set of durations; each quantile of it is a metric: p50, p99.9, max and mean
// of the latency, last.p99 and so on of the others.
type Trend struct {
	Name  string // before the dot; empty: the latency
	Title string
	of    func(*Result) *latency.Histogram
}

// Of returns the trend of a run. before says that it is of the time before the load.
func (t Trend) Of(r *Result) (h *latency.Histogram, before bool) {
	h = t.of(r)
	ramp := &r.Ramp.Tally
	return h, h == &ramp.Handshake || h == &ramp.TCP || h == &ramp.Token || h == &ramp.Login || h == &ramp.Join
}

// Trends lists them all.
var Trends = []Trend{
	{"", "latency", func(r *Result) *latency.Histogram { return &r.Total.Latency }},
	{"last", "last receiver", func(r *Result) *latency.Histogram { return &r.Total.Last }},
	{"handshake", "handshake", early(func(t *load.Tally) *latency.Histogram { return &t.Handshake })},
	{"tcp", "of it TCP", early(func(t *load.Tally) *latency.Histogram { return &t.TCP })},
	{"token", "token", early(func(t *load.Tally) *latency.Histogram { return &t.Token })},
	{"login", "login", early(func(t *load.Tally) *latency.Histogram { return &t.Login })},
	{"join", "join", func(r *Result) *latency.Histogram { return &r.Ramp.Tally.Join }},
	{"closing", "closing", func(r *Result) *latency.Histogram { return &r.Total.Closing }},
	{"back", "back after the storm", func(r *Result) *latency.Histogram { return &r.Total.Back }},
	{"late", "sender late", func(r *Result) *latency.Histogram { return &r.Total.Late }},
	{"lag", "wsbench's loops late", func(r *Result) *latency.Histogram { return &r.Total.Lag }},
}

// early is for what happens while connections are made: before the load, unless the load
// makes connections.
func early(in func(*load.Tally) *latency.Histogram) func(*Result) *latency.Histogram {
	return func(r *Result) *latency.Histogram {
		if h := in(&r.Total); h.Count() > 0 {
			return h
		}
		return in(&r.Ramp.Tally)
	}
}

// plain are the metrics that are no quantiles.
var plain = []Metric{
	{"rate", "messages/s", PerSecond, true, false, (*Result).Rate},
	{"connrate", "connections/s", PerSecond, true, false, (*Result).ConnRate},
	{"lost", "messages lost", Count, false, false, fault(load.Lost)},
	{"doubled", "messages doubled", Count, false, false, fault(load.Doubled)},
	{"reordered", "messages out of order", Count, false, false, fault(load.Reordered)},
	{"corrupted", "messages corrupted", Count, false, false, fault(load.Corrupted)},
	{"unsolicited", "messages unsolicited", Count, false, false, fault(load.Unsolicited)},
	{"faults", "faulty messages", Count, false, false, func(r *Result) float64 { return float64(r.Faults.Total()) }},
	{"refused", "connections refused", Count, false, false, func(r *Result) float64 { return float64(r.Total.Refused + r.Ramp.Tally.Refused) }},
	{"broken", "connections broken", Count, false, false, func(r *Result) float64 { return float64(r.Total.Broken + r.Ramp.Tally.Broken) }},
	{"postponed", "postponed", Count, false, false, func(r *Result) float64 { return float64(r.Total.Postponed) }},
	{"failures", "failures", Count, false, false, func(r *Result) float64 { return float64(len(r.Failures())) }},
	{"cpu", "server CPU per message", Nanoseconds, false, false, ofServer(func(s *Server) float64 { return float64(s.PerMessage) })},
	{"conncpu", "server CPU per connection", Nanoseconds, false, false, ofServer(func(s *Server) float64 { return float64(s.PerConn) })},
	{"rss", "server memory", Bytes, false, false, ofServer(func(s *Server) float64 { return float64(s.RSS) })},
	{"rssmax", "server memory, maximum", Bytes, false, false, ofServer(func(s *Server) float64 { return float64(s.RSSMax) })},
	{"idle", "memory per connection", Bytes, false, false, ofIdle(func(i *Idle) float64 { return i.PerConn })},
	{"joins", "memory of its rooms per connection", Bytes, false, false, ofIdle(func(i *Idle) float64 { return i.Joins })},
	{"client", "share of its cores that wsbench used", Share, false, false, func(r *Result) float64 { return r.Audit.Share }},
}

func fault(kind load.Fault) func(*Result) float64 {
	return func(r *Result) float64 { return float64(r.Faults.Count[kind]) }
}

func ofServer(f func(*Server) float64) func(*Result) float64 {
	return func(r *Result) float64 {
		if r.Server == nil {
			return math.NaN()
		}
		return f(r.Server)
	}
}

func ofIdle(f func(*Idle) float64) func(*Result) float64 {
	return func(r *Result) float64 {
		if r.Idle == nil || r.Server == nil {
			return math.NaN()
		}
		return f(r.Idle)
	}
}

// Find returns the metric of a name.
func Find(name string) (Metric, bool) {
	for _, m := range plain {
		if m.Name == name {
			return m, true
		}
	}
	of, q, _ := strings.Cut(name, ".")
	for _, t := range Trends {
		if t.Name == of {
			return t.quantile(name, q)
		}
	}
	return Trends[0].quantile(name, name) // p99.9 has a dot, too
}

// quantile returns one quantile as a metric: p with a number, p(with a number), max, mean
// or avg.
func (t Trend) quantile(name, q string) (Metric, bool) {
	get := func(h *latency.Histogram) float64 { return float64(h.Mean()) }
	switch q {
	case "mean", "avg":
	case "med":
		get = func(h *latency.Histogram) float64 { return float64(h.Percentile(50)) }
	case "max":
		get = func(h *latency.Histogram) float64 { return float64(h.Max()) }
	default:
		number, found := strings.CutPrefix(q, "p")
		if inner, closed := strings.CutSuffix(number, ")"); closed && strings.HasPrefix(inner, "(") {
			number = inner[1:]
		}
		p, err := strconv.ParseFloat(number, 64)
		if !found || err != nil || !(p >= 0 && p <= 100) {
			return Metric{}, false
		}
		get = func(h *latency.Histogram) float64 { return float64(h.Percentile(p)) }
	}
	return Metric{Name: name, Title: t.Title + " " + q, Unit: Nanoseconds, Trend: true, of: func(r *Result) float64 {
		if h := t.of(r); h.Count() > 0 {
			return get(h)
		}
		return math.NaN()
	}}, true
}

// Metrics returns what most readers want to know of a run: those that were measured.
func Metrics(r *Result) (list []Metric) {
	for _, t := range Trends {
		for _, q := range []string{"p50", "p90", "p99", "p99.9", "p99.99", "max"} {
			name := q
			if t.Name != "" {
				name = t.Name + "." + q
			}
			if m, ok := t.quantile(name, q); ok && !math.IsNaN(m.Value(r)) {
				list = append(list, m)
			}
		}
	}
	for _, m := range plain {
		if !math.IsNaN(m.Value(r)) {
			list = append(list, m)
		}
	}
	return list
}

// show prints a value.
func (u Unit) show(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case u == Nanoseconds:
		return ShortTime(duration(v))
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}
