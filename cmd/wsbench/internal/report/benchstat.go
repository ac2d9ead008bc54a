package report

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
)

// Benchstat prints a run as Go's benchmarks print theirs, so that benchstat can compare
// several. Every metric that was measured is a unit of its own.
func Benchstat(w io.Writer, r *result.Result) error {
	if err := benchHead(w, r.Machine); err != nil {
		return err
	}
	line := benchName(&r.Plan, r.Deflate) + fmt.Sprintf(" %d", max(r.Total.Received, r.Total.Opened, 1))
	for _, m := range result.Metrics(r) {
		line += benchValue(m.Value(r), m.Unit, m.Name)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// BenchstatComparison prints each round of each server; benchstat -col /server compares
// them.
func BenchstatComparison(w io.Writer, c *trial.Comparison) error {
	if err := benchHead(w, c.Machine); err != nil {
		return err
	}
	for _, s := range c.Servers {
		for round := range c.Rounds {
			line := benchName(&c.Plan, false) + "/server=" + benchWord(s.Name) + " 1"
			for _, m := range trial.Metrics(c.Plan.Scenario) {
				if v := s.Values[m.Name]; round < len(v) {
					line += benchValue(v[round], m.Unit, m.Metric.Name)
				}
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
	}
	return nil
}

func benchHead(w io.Writer, m host.Machine) error {
	_, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: wsbench\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, m.CPU)
	return err
}

func benchName(p *load.Plan, deflate bool) string {
	name := fmt.Sprintf("Benchmark%s%s/conns=%d", strings.ToUpper(string(p.Scenario[:1])), p.Scenario[1:], p.Conns)
	if p.Sends() {
		name += fmt.Sprintf("/size=%d", p.Size)
	}
	switch {
	case p.Scenario == load.Replay:
		name += fmt.Sprintf("/recording=%s/speed=%g", benchWord(p.Recording.Name), p.Speed)
	case p.Open():
		name += "/rate=" + trimRate(p.MaxRate())
	case p.Inflight > 0:
		name += fmt.Sprintf("/inflight=%d", p.Inflight)
	}
	if p.Dialect != nil {
		name += "/protocol=" + benchWord(p.Dialect.Name)
	}
	if p.HTTP2 {
		name += "/http=2"
	}
	if deflate {
		name += "/deflate=yes"
	}
	return name
}

// benchWord makes a word that a benchmark's name can hold.
func benchWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == '=' {
			return '-'
		}
		return r
	}, s)
}

// benchValue is one value and its unit. benchstat knows ns, and prints it as a time.
func benchValue(v float64, u result.Unit, name string) string {
	switch u {
	case result.Nanoseconds:
		return fmt.Sprintf(" %.0f %s-ns", v, name)
	case result.Bytes:
		return fmt.Sprintf(" %.0f %s-bytes", v, name)
	case result.PerSecond:
		return fmt.Sprintf(" %.1f %s/s", v, name)
	}
	return fmt.Sprintf(" %g %s", v, name)
}
