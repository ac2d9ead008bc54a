package report

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/plot"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
)

// value prints a value of a metric.
func value(v float64, u result.Unit) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case u == result.Nanoseconds:
		return result.ShortTime(time.Duration(v))
	case u == result.Bytes:
		return plot.Bytes(v)
	}
	return plot.Count(v)
}

func comparisonTitle(c *trial.Comparison) string {
	r := &result.Result{Plan: c.Plan}
	r.Plan.URL = c.Servers[0].URL
	title := Title(r)
	title = strings.Replace(title, ": "+r.Plan.URL, "", 1)
	if c.Partial != "" {
		title += " (partial)"
	}
	return title
}

func conditions(c *trial.Comparison) string {
	return fmt.Sprintf("%d rounds, in each every server once; servers on cores %v, wsbench on cores %v; medians; intervals are bootstrap, 95 %%", c.Rounds, c.ServerCPUs, c.ClientCPUs)
}

// rows are a comparison as a table, by one metric.
func rows(c *trial.Comparison, m trial.Metric) (rows [][]string) {
	for i, s := range c.Servers {
		cells := []string{s.Name}
		if len(s.Values[m.Name]) == 0 {
			cells = append(cells, "–", "", "", "", lastOf(s.Errors))
			rows = append(rows, cells)
			continue
		}
		v := trial.MedianInterval(s.Values[m.Name], c.Plan.Seed)
		cells = append(cells, value(v.Value, m.Unit), value(v.Low, m.Unit)+" … "+value(v.High, m.Unit))
		if i == 0 {
			cells = append(cells, "1", "", "")
		} else {
			ratio, verdict := c.Against(s, m.Name)
			if math.IsNaN(ratio.Value) {
				cells = append(cells, "–", "", verdict)
			} else {
				cells = append(cells, fmt.Sprintf("%.3f", ratio.Value), fmt.Sprintf("%.3f … %.3f", ratio.Low, ratio.High), verdict)
			}
		}
		rows = append(rows, cells)
	}
	return rows
}

var compareHead = []string{"", "median", "interval", "ratio", "interval", "against the first"}

func lastOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// notes are what must be said of the servers.
func notes(c *trial.Comparison) (bad []string) {
	for _, s := range c.Servers {
		if s.Limited > 0 {
			bad = append(bad, fmt.Sprintf("%s: the client was the bottleneck in %d of %d rounds: the server may be faster than it seems", s.Name, s.Limited, c.Rounds))
		}
		if len(s.Errors) > 0 {
			bad = append(bad, fmt.Sprintf("%s: %d rounds failed: %s", s.Name, len(s.Errors), lastOf(s.Errors)))
		}
		if len(s.Failed) > 0 {
			bad = append(bad, fmt.Sprintf("%s: %s", s.Name, strings.Join(s.Failed, "; ")))
		}
	}
	return bad
}

// ComparisonText prints a comparison.
func ComparisonText(w io.Writer, c *trial.Comparison, col Colour) {
	fmt.Fprintln(w, col.Bold(comparisonTitle(c)))
	if c.Partial != "" {
		fmt.Fprintln(w, col.Red("PARTIAL: "+c.Partial))
	}
	fmt.Fprintln(w, conditions(c))
	for _, m := range trial.Metrics(c.Plan.Scenario) {
		fmt.Fprintf(w, "\n%s (%s is better)\n", col.Bold(m.Name), m.Better())
		t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		for _, row := range rows(c, m) {
			fmt.Fprintln(t, "  "+strings.Join(row, "\t"))
		}
		t.Flush()
	}
	for _, text := range notes(c) {
		fmt.Fprintln(w, col.Red("  "+text))
	}
	for _, text := range c.Warnings {
		fmt.Fprintln(w, col.Yellow("  warning: "+text))
	}
}

// Bars is a comparison by one metric as a picture.
func Bars(c *trial.Comparison, m trial.Metric) string {
	b := &plot.Bars{Title: m.Name + " (" + m.Better() + " is better)", Note: comparisonTitle(c), Format: func(v float64) string { return value(v, m.Unit) }}
	for _, s := range c.Servers {
		v := trial.MedianInterval(s.Values[m.Name], c.Plan.Seed)
		b.Bars = append(b.Bars, plot.Bar{Name: s.Name, Value: v.Value, Low: v.Low, High: v.High})
	}
	return b.SVG()
}

// Curves is the latencies of all servers as a picture, over all rounds.
func Curves(c *trial.Comparison) string {
	chart := &plot.Chart{Title: "Latency by percentile", Note: comparisonTitle(c), X: plot.Tail, Y: plot.Log, XFormat: plot.Percentile, YFormat: plot.Nanoseconds}
	for _, s := range c.Servers {
		if len(s.Values) > 0 {
			chart.Series = append(chart.Series, curve(s.Name, &s.Total.Latency))
		}
	}
	return chart.SVG()
}

// ComparisonPage writes the HTML page of comparisons.
func ComparisonPage(w io.Writer, title string, list []*trial.Comparison) error {
	first := list[0]
	p := &page{Title: title, When: first.Began.Format("2 January 2006, 15:04:05 MST")}
	for _, c := range list {
		if c.Partial != "" {
			p.Bad = append(p.Bad, short(c)+": partial: "+c.Partial)
		}
		for _, text := range notes(c) {
			p.Bad = append(p.Bad, short(c)+": "+text)
		}
		if n := len(c.Warnings); n > 1 {
			p.Warn = append(p.Warn, fmt.Sprintf("%s: %s, and %d more warnings", short(c), c.Warnings[0], n-1))
		} else if n == 1 {
			p.Warn = append(p.Warn, short(c)+": "+c.Warnings[0])
		}
		for _, m := range trial.Metrics(c.Plan.Scenario) {
			p.Plots = append(p.Plots, template.HTML(Bars(c, m)))
			p.Tables = append(p.Tables, table{Title: m.Name + ": " + comparisonTitle(c), Note: m.Better() + " is better. " + conditions(c), Head: compareHead, Rows: rows(c, m)})
		}
		if c.Servers[0].Total.Latency.Count() > 0 {
			p.Plots = append(p.Plots, template.HTML(Curves(c)))
		}
		p.Facts = append(p.Facts, fact{Name: "command", Value: Quote(c.Command), Code: true})
	}
	p.Facts = append(p.Facts, fact{Name: "machine", Value: first.Machine.String()})
	for _, s := range first.Servers {
		p.Facts = append(p.Facts, fact{Name: s.Name, Value: s.Command, Code: true})
	}
	return pageTemplate.Execute(w, p)
}
