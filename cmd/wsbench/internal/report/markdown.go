package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
)

// headline is the metric that a comparison is shown by where there is room for
// one.
func headline(c *trial.Comparison) trial.Metric {
	metrics := trial.Metrics(c.Plan.Scenario)
	if c.Plan.Open() && c.Plan.Scenario == load.Echo {
		return metrics[3] // the p99 of the latency
	}
	if s := c.Plan.Scenario; (s == load.Echo || s == load.Fanout) && len(metrics) > 1 {
		return metrics[1] // what a message costs
	}
	return metrics[0]
}

// short names a comparison in a table's head.
func short(c *trial.Comparison) string {
	p := &c.Plan
	switch {
	case p.Scenario == load.Idle:
		return fmt.Sprintf("idle, %d connections", p.Conns)
	case p.Inflight > 1:
		return fmt.Sprintf("%s, %d connections, %d in flight", p.Scenario, p.Conns, p.Inflight)
	case p.Open():
		return fmt.Sprintf("%s, %d connections, %s/s", p.Scenario, p.Conns, trimRate(p.MaxRate()))
	}
	return fmt.Sprintf("%s, %d connections", p.Scenario, p.Conns)
}

// Markdown is comparisons of the same servers as one table: a row for each
// server, and two columns for each comparison, its headline with the interval,
// and what was measured beside it.
func Markdown(list []*trial.Comparison) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, c := range list {
		fmt.Fprintf(&b, " %s: %s |", short(c), headline(c).Name)
		if p := &c.Plan; p.Scenario != load.Idle {
			b.WriteString(" messages/s |")
		}
	}
	b.WriteString("\n|---|")
	for _, c := range list {
		b.WriteString("---:|")
		if c.Plan.Scenario != load.Idle {
			b.WriteString("---:|")
		}
	}
	b.WriteString("\n")
	for i, s := range list[0].Servers {
		fmt.Fprintf(&b, "| %s |", s.Name)
		for _, c := range list {
			m := headline(c)
			if i >= len(c.Servers) || len(c.Servers[i].Values[m.Name]) == 0 {
				b.WriteString(" – |")
			} else {
				v := trial.MedianInterval(c.Servers[i].Values[m.Name], c.Plan.Seed)
				fmt.Fprintf(&b, " %s (%s–%s) |", value(v.Value, m.Unit), value(v.Low, m.Unit), value(v.High, m.Unit))
			}
			if c.Plan.Scenario == load.Idle {
				continue
			}
			if i >= len(c.Servers) || len(c.Servers[i].Values["messages/s"]) == 0 {
				b.WriteString(" – |")
				continue
			}
			mark := ""
			if c.Servers[i].Limited > c.Rounds/2 {
				mark = star
			}
			fmt.Fprintf(&b, " %s%s |", value(trial.Median(c.Servers[i].Values["messages/s"]), result.PerSecond), mark)
		}
		b.WriteString("\n")
	}
	b.WriteString(footnotes(list, strings.Contains(b.String(), star)))
	return b.String()
}

// star marks values that the client limited.
const star = "\\*"

// footnotes say how a table was made, and what speaks against it.
func footnotes(list []*trial.Comparison, starred bool) string {
	var b strings.Builder
	c := list[0]
	least, most := c.Rounds, c.Rounds
	var warnings []string
	for _, c := range list {
		if c.Partial != "" {
			fmt.Fprintf(&b, "\nPartial: %s: %s.\n", short(c), c.Partial)
		}
		least, most = min(least, c.Rounds), max(most, c.Rounds)
		warnings = append(warnings, c.Warnings...)
	}
	rounds := fmt.Sprint(least)
	if most > least {
		rounds += fmt.Sprintf(" to %d", most)
	}
	fmt.Fprintf(&b, "\nMedians of %s rounds, with 95 %% bootstrap intervals; in each round every server ran once, on cores %v, wsbench on cores %v.\n", rounds, c.ServerCPUs, c.ClientCPUs)
	if starred {
		fmt.Fprintf(&b, "%s wsbench was at its limit in most of the rounds: the server may be faster.\n", star)
	}
	fmt.Fprintf(&b, "%s, %s.\n", c.Machine, c.Began.Format("2 January 2006"))
	if len(warnings) > 0 {
		fmt.Fprintf(&b, "The machine was disturbed (%s).\n", warnings[0])
	}
	return b.String()
}

// Picture is a file that Pictures wrote, and what it shows.
type Picture struct{ File, Text string }

// Pictures writes the headline of each comparison as an SVG file.
func Pictures(dir string, list []*trial.Comparison) (pictures []Picture, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, c := range list {
		name := fmt.Sprintf("%s-%d", c.Plan.Scenario, c.Plan.Conns)
		if c.Plan.Open() {
			name += "-rate"
		} else if c.Plan.Inflight > 0 {
			name += fmt.Sprintf("-%d", c.Plan.Inflight)
		}
		name += ".svg"
		if err := (outfile.File{Path: filepath.Join(dir, name)}).Write(func(w io.Writer) error {
			_, err := io.WriteString(w, Bars(c, headline(c)))
			return err
		}); err != nil {
			return nil, err
		}
		pictures = append(pictures, Picture{name, headline(c).Name + ": " + short(c)})
	}
	return pictures, nil
}

// What Between replaces stands between these lines.
const (
	beginMark = "<!-- bench: begin -->\n"
	endMark   = "<!-- bench: end -->\n"
)

// Between replaces what stands between the marks in a file.
func Between(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(b, []byte(beginMark))
	_, after, closed := bytes.Cut(rest, []byte(endMark))
	if !found || !closed {
		return fmt.Errorf("%s has no lines %q and %q in this order", path, strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	var out bytes.Buffer
	out.Write(before)
	out.WriteString(beginMark + text + endMark)
	out.Write(after)
	return outfile.File{Path: path}.Write(func(w io.Writer) error {
		_, err := out.WriteTo(w)
		return err
	})
}
