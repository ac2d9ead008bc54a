package result

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/latency"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

// A condition is written as METRIC OP VALUE, several with commas between:
//
//	p99<10ms,lost=0,rate>=50000
//
// OP is one of < <= > >= = !=. Metrics: p50 … p99.99 (any percentile), max and
// mean of the latency, also as last.p99, handshake.p99, late.p99, lag.p99,
// closing.p99, back.p99, token.p99, login.p99, join.p99; rate (messages received in a second),
// connrate; lost, doubled, reordered, corrupted, unsolicited, faults; refused,
// broken, postponed, failures; cpu (of the server, a message; conncpu: a connection),
// rss, idle and joins (bytes of the server's memory, a connection), client (its share
// of its cores, 0 to 1).
type Condition struct {
	Text   string
	metric string
	op     string
	value  float64
}

var operators = []string{"<=", ">=", "!=", "<", ">", "="}

// ParseConditions reads a list of conditions.
func ParseConditions(s string) (list []Condition, err error) {
	for text := range strings.SplitSeq(s, ",") {
		c, err := parseCondition(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func parseCondition(text string) (c Condition, err error) {
	c.Text = text
	at := strings.IndexAny(text, "<>=!")
	if at < 0 {
		return c, fmt.Errorf("condition %q has none of %v", text, operators)
	}
	c.metric = strings.ToLower(strings.TrimSpace(text[:at]))
	rest := text[at:]
	i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(rest, op) })
	if i < 0 {
		return c, fmt.Errorf("condition %q has none of %v", text, operators)
	}
	c.op = operators[i]
	value := strings.TrimSpace(rest[len(c.op):])
	isTime, err := checkMetric(c.metric)
	if err != nil {
		return c, fmt.Errorf("condition %q: %w", text, err)
	}
	if isTime {
		d, err := time.ParseDuration(value)
		if err != nil {
			return c, fmt.Errorf("condition %q: %q is no duration such as 10ms or 250us", text, value)
		}
		c.value = float64(d)
		return c, nil
	}
	if c.value, err = strconv.ParseFloat(value, 64); err != nil || math.IsNaN(c.value) {
		return c, fmt.Errorf("condition %q: %q is no number", text, value)
	}
	return c, nil
}

// checkMetric reports whether a metric's values are durations.
func checkMetric(name string) (isTime bool, err error) {
	_, isTime, known := metricOf(&Result{Server: &Server{}}, name)
	if !known {
		return false, fmt.Errorf("there is no metric %q", name)
	}
	return isTime, nil
}

// metricOf reads a metric. A duration is in nanoseconds; NaN is one that the run
// has not measured.
func metricOf(r *Result, name string) (v float64, isTime, known bool) {
	t := &r.Total
	of, q, dotted := strings.Cut(name, ".")
	h := &t.Latency
	// Connections that were made before the load are the ramp's.
	either := func(in func(*load.Tally) *latency.Histogram) *latency.Histogram {
		if h := in(t); h.Count() > 0 {
			return h
		}
		return in(&r.Ramp.Tally)
	}
	handshake := either(func(t *load.Tally) *latency.Histogram { return &t.Handshake })
	token := either(func(t *load.Tally) *latency.Histogram { return &t.Token })
	login := either(func(t *load.Tally) *latency.Histogram { return &t.Login })
	if hist := map[string]*latency.Histogram{"last": &t.Last, "handshake": handshake, "late": &t.Late, "lag": &t.Lag, "closing": &t.Closing, "back": &t.Back, "token": token, "login": login, "join": &r.Ramp.Tally.Join}[of]; hist != nil && dotted {
		if q != "max" && q != "mean" && !strings.HasPrefix(q, "p") {
			return 0, false, false
		}
		h, name = hist, q
	}
	if name == "max" || name == "mean" || strings.HasPrefix(name, "p") {
		if v, ok := quantile(h, name); ok {
			return v, true, true
		}
	}
	counts := map[string]float64{
		"lost": float64(r.Faults.Count[load.Lost]), "doubled": float64(r.Faults.Count[load.Doubled]),
		"reordered": float64(r.Faults.Count[load.Reordered]), "corrupted": float64(r.Faults.Count[load.Corrupted]),
		"unsolicited": float64(r.Faults.Count[load.Unsolicited]), "faults": float64(r.Faults.Total()),
		"rate": r.Rate(), "connrate": r.ConnRate(), "refused": float64(t.Refused + r.Ramp.Tally.Refused),
		"broken": float64(t.Broken + r.Ramp.Tally.Broken), "postponed": float64(t.Postponed),
		"failures": float64(len(r.Failures())), "client": r.Audit.Share,
	}
	if v, ok := counts[name]; ok {
		return v, false, true
	}
	switch name {
	case "cpu":
		if r.Server == nil {
			return math.NaN(), true, true
		}
		return float64(r.Server.PerMessage), true, true
	case "conncpu":
		if r.Server == nil {
			return math.NaN(), true, true
		}
		return float64(r.Server.PerConn), true, true
	case "idle", "joins":
		switch {
		case r.Idle == nil || r.Server == nil:
			return math.NaN(), false, true
		case name == "joins":
			return r.Idle.Joins, false, true
		}
		return r.Idle.PerConn, false, true
	case "rss":
		if r.Server == nil {
			return math.NaN(), false, true
		}
		return float64(r.Server.RSS), false, true
	}
	return 0, false, false
}

func quantile(h *latency.Histogram, name string) (float64, bool) {
	value := func(d time.Duration) float64 {
		if h.Count() == 0 {
			return math.NaN()
		}
		return float64(d)
	}
	switch name {
	case "max":
		return value(h.Max()), true
	case "mean":
		return value(h.Mean()), true
	}
	p, err := strconv.ParseFloat(name[1:], 64)
	if err != nil || !(p >= 0 && p <= 100) {
		return 0, false
	}
	return value(h.Percentile(p)), true
}

// Measured reports whether the run knows the condition's metric.
func (c Condition) Measured(r *Result) bool {
	v, _, _ := metricOf(r, c.metric)
	return !math.IsNaN(v)
}

// Holds reports whether the condition holds of a run, and what was found. Of
// something that was not measured nothing holds.
func (c Condition) Holds(r *Result) (holds bool, found string) {
	v, isTime, _ := metricOf(r, c.metric)
	switch {
	case math.IsNaN(v):
		return false, c.metric + " was not measured"
	case isTime:
		found = fmt.Sprintf("%s is %v", c.metric, time.Duration(v))
	default:
		found = fmt.Sprintf("%s is %v", c.metric, v)
	}
	switch c.op {
	case "<":
		holds = v < c.value
	case "<=":
		holds = v <= c.value
	case ">":
		holds = v > c.value
	case ">=":
		holds = v >= c.value
	case "=":
		holds = v == c.value
	case "!=":
		holds = v != c.value
	}
	return holds, found
}
