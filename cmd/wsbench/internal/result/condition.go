package result

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Condition is written as METRIC OP VALUE, several with commas between:
//
//	p99<10ms,lost=0,rate>=50000
//
// Or as k6 writes thresholds: p(99)<100, avg<20, where a duration without a unit is in
// milliseconds. OP is one of < <= > >= = == !=. Metrics are those that Find knows.
type Condition struct {
	Text   string
	metric Metric
	op     string
	value  float64
}

var operators = []string{"<=", ">=", "!=", "==", "<", ">", "="}

// ParseConditions reads a list of conditions.
func ParseConditions(s string) (list []Condition, err error) {
	for text := range strings.SplitSeq(s, ",") {
		c, err := parseCondition(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("condition %q: %w", text, err)
		}
		list = append(list, c)
	}
	return list, nil
}

func parseCondition(text string) (c Condition, err error) {
	c.Text = text
	at := max(strings.IndexAny(text, "<>=!"), 0)
	rest := text[at:]
	i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(rest, op) })
	if i < 0 {
		return c, fmt.Errorf("it has none of %v", operators)
	}
	c.op = operators[i]
	name := strings.ToLower(strings.TrimSpace(text[:at]))
	var known bool
	if c.metric, known = Find(name); !known {
		return c, fmt.Errorf("there is no metric %q", name)
	}
	value := strings.TrimSpace(rest[len(c.op):])
	if c.value, err = strconv.ParseFloat(value, 64); err == nil && !math.IsNaN(c.value) {
		if c.metric.Unit == Nanoseconds {
			c.value *= 1e6
		}
		return c, nil
	}
	if c.metric.Unit != Nanoseconds {
		return c, fmt.Errorf("%q is no number", value)
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		return c, fmt.Errorf("%q is no duration such as 10ms or 250us", value)
	}
	c.value = float64(d)
	return c, nil
}

// Holds reports whether the condition holds for a run, and the value found. No
// condition holds for a value that was not measured.
func (c Condition) Holds(r *Result) (holds bool, found string) {
	v := c.metric.Value(r)
	switch {
	case math.IsNaN(v):
		return false, c.metric.Name + " was not measured"
	case c.metric.Unit == Nanoseconds:
		found = fmt.Sprintf("%s is %v", c.metric.Name, duration(v))
	default:
		found = fmt.Sprintf("%s is %v", c.metric.Name, v)
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
	case "=", "==":
		holds = v == c.value
	case "!=":
		holds = v != c.value
	}
	return holds, found
}

func duration(ns float64) time.Duration { return time.Duration(ns) }
