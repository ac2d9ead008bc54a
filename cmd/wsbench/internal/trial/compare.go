package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
)

// Metric is a quantity by which servers are compared.
type Metric struct {
	result.Metric
	Name string // as comparisons are kept
}

// Better says which of two values is.
func (m Metric) Better() string {
	if m.Higher {
		return "higher"
	}
	return "lower"
}

// of returns the metric of a run. ok is false if nothing was measured.
func (m Metric) of(r *result.Result) (v float64, ok bool) {
	v = m.Value(r)
	return v, !math.IsNaN(v) && (v != 0 || m.Unit == result.Bytes)
}

// Metrics returns the metrics of a scenario.
func Metrics(s load.Scenario) []Metric {
	switch s {
	case load.Idle:
		return metrics("idle", "memory per connection", "conncpu", "server CPU per connection")
	case load.Login:
		return metrics("connrate", "log-ins/s", "conncpu", "server CPU per log-in", "p50", "latency p50", "p99", "latency p99")
	case load.Connect, load.Churn, load.Storm:
		return metrics("connrate", "handshakes/s", "conncpu", "server CPU per handshake", "handshake.p50", "handshake p50", "handshake.p99", "handshake p99")
	}
	return metrics("rate", "messages/s", "cpu", "server CPU per message", "p50", "latency p50", "p99", "latency p99", "rssmax", "server memory")
}

// metrics takes pairs of what conditions call a metric and what comparisons do.
func metrics(pairs ...string) (list []Metric) {
	for pair := range slices.Chunk(pairs, 2) {
		m, known := result.Find(pair[0])
		if !known {
			panic("trial: internal error: no metric " + pair[0])
		}
		list = append(list, Metric{m, pair[1]})
	}
	return list
}

// Comparison is the result of alternating runs.
type Comparison struct {
	Format     int          `json:"format"`
	Began      time.Time    `json:"began"`
	Command    []string     `json:"command"`
	Machine    host.Machine `json:"machine"`
	Plan       load.Plan    `json:"plan"`
	ServerCPUs []int        `json:"server_cpus"`
	ClientCPUs []int        `json:"client_cpus"`
	Rounds     int          `json:"rounds"`
	Servers    []*Measured  `json:"servers"`
	Warnings   []string     `json:"warnings,omitempty"`
	// Partial says why rounds are missing; empty if none are.
	Partial string `json:"partial,omitempty"`

	warned map[string]bool
}

// Measured is the result of all runs of one candidate.
type Measured struct {
	Candidate
	Values  map[string][]float64 `json:"values"` // by metric, in the order of the rounds
	Total   load.Tally           `json:"total"`
	Faults  load.Faults          `json:"faults"`
	Errors  []string             `json:"errors,omitempty"` // of rounds that have no values
	Limited int                  `json:"client_limited"`   // rounds in which the client was the bottleneck
	Failed  []string             `json:"failed,omitempty"` // what was wrong in rounds that have
}

// Compare runs each candidate once in each round, one after the other, so that changes of
// the machine affect all of them. If ctx ends early, Compare returns the comparison so far
// together with the cause.
func Compare(ctx context.Context, o run.Options, candidates []Candidate, rounds int, serverCPUs, clientCPUs []int, say func(string)) (*Comparison, error) {
	c := &Comparison{Format: result.Format, Began: time.Now().Round(time.Second), Command: o.Command, Machine: host.Describe(), Plan: o.Plan,
		ServerCPUs: serverCPUs, ClientCPUs: clientCPUs, Rounds: rounds, warned: map[string]bool{}}
	for _, candidate := range candidates {
		c.Servers = append(c.Servers, &Measured{Candidate: candidate, Values: map[string][]float64{}})
	}
	o.CPUs = clientCPUs
	for round := range rounds {
		turns := make([]turn, len(c.Servers))
		for i, m := range c.Servers {
			say(fmt.Sprintf("round %d of %d: %s", round+1, rounds, m.Name))
			t := &turns[i]
			t.r, t.err = m.once(ctx, o, serverCPUs)
			if t.err != nil && ctx.Err() != nil {
				return c.cut(context.Cause(ctx), round, turns[:i])
			}
			if t.err != nil {
				say(fmt.Sprintf("%s: %v", m.Name, t.err))
			}
		}
		c.addRound(round, turns)
	}
	return c, nil
}

// turn is the result of one server in one round.
type turn struct {
	r   *result.Result
	err error
}

// addRound adds a round.
func (c *Comparison) addRound(round int, turns []turn) {
	for i, t := range turns {
		m := c.Servers[i]
		if t.err != nil {
			m.Errors = append(m.Errors, t.err.Error())
			continue
		}
		m.addRun(t.r)
		for _, w := range t.r.Warnings {
			if !c.warned[w] && len(c.warned) < 5 {
				c.warned[w] = true
				c.Warnings = append(c.Warnings, fmt.Sprintf("%s, round %d: %s", m.Name, round+1, w))
			}
		}
	}
}

// cut ends a comparison early. Only whole rounds count, because values are compared by
// round; but if the first round is incomplete, it is kept. The comparison is nil if nothing
// was measured.
func (c *Comparison) cut(cause error, round int, turns []turn) (*Comparison, error) {
	if round == 0 && len(turns) == 0 {
		return nil, cause
	}
	c.Partial = fmt.Sprintf("%v in round %d of %d", cause, round+1, c.Rounds)
	if round == 0 {
		c.addRound(round, turns)
	}
	c.Rounds = max(round, 1)
	return c, cause
}

// once starts the server, measures it, and ends it.
func (m *Measured) once(ctx context.Context, o run.Options, cpus []int) (*result.Result, error) {
	s, err := m.start(ctx, cpus)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	o.Plan.URL, o.Target.URL = s.url, s.url
	pids, err := s.processes()
	if err != nil {
		return nil, err
	}
	o.Server = host.Processes{PIDs: pids}
	r, err := run.Run(ctx, o)
	if err != nil {
		return nil, err
	}
	return r, s.alive()
}

func (m *Measured) addRun(r *result.Result) {
	complete := true
	for _, metric := range Metrics(r.Plan.Scenario) {
		v, ok := metric.of(r)
		if ok {
			m.Values[metric.Name] = append(m.Values[metric.Name], v)
		}
		complete = complete && ok
	}
	if !complete {
		what := "message was received"
		if r.Plan.Cycles() {
			what = "handshake was done"
		}
		m.Failed = append(m.Failed, "no "+what+" in a round")
	}
	m.Total.Add(&r.Total)
	m.Faults.Add(r.Faults)
	if len(r.Audit.Bottleneck) > 0 {
		m.Limited++
	}
	m.Failed = append(m.Failed, r.Failures()...)
}

// Against compares one server with the first by one metric. Values are paired by round, so
// a ratio needs both servers to have completed every round.
func (c *Comparison) Against(m *Measured, metric string) (ratio Estimate, verdict string) {
	a, b := c.Servers[0].Values[metric], m.Values[metric]
	if len(a) != c.Rounds || len(b) != c.Rounds {
		return Ratio(nil, nil, 0), "not measured in every round"
	}
	ratio = Ratio(a, b, c.Plan.Seed)
	return ratio, Verdict(ratio, c.Rounds)
}

// WriteJSON writes the comparison as JSON.
func (c *Comparison) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// LoadComparison reads a file that WriteJSON wrote.
func LoadComparison(path string) (*Comparison, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c Comparison
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Format != result.Format || len(c.Servers) == 0 {
		if r, err := result.Load(path); err == nil {
			return nil, fmt.Errorf("%s: a run of %s, and not a comparison, as wsbench compare --json writes it", path, r.Plan.Scenario)
		}
		return nil, fmt.Errorf("%s: not a comparison of format %d", path, result.Format)
	}
	return &c, nil
}
