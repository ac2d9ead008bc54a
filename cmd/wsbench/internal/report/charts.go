package report

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/latency"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/plot"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// Charts writes each picture of a run's page as an SVG file in dir, named after its title:
// latency-over-time.svg, for example.
func Charts(dir string, r *result.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range charts(r) {
		title, _, _ := strings.Cut(c.Title, ",")
		name := strings.ReplaceAll(strings.ToLower(title), " ", "-") + ".svg"
		if err := (outfile.File{Path: filepath.Join(dir, name)}).Write(func(w io.Writer) error {
			_, err := io.WriteString(w, c.SVG())
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// curve is a histogram as a percentile curve, as deep as its count allows.
func curve(name string, h *latency.Histogram) plot.Series {
	s := plot.Series{Name: name, Step: true}
	total := h.Count()
	if total == 0 {
		return s
	}
	s.Points = append(s.Points, plot.Point{X: 0, Y: float64(h.Percentile(0))})
	var sum int64
	deepest := 100 * (1 - 1/float64(total))
	h.Buckets(func(to time.Duration, n int64) {
		sum += n
		s.Points = append(s.Points, plot.Point{X: min(100*float64(sum)/float64(total), deepest), Y: float64(to)})
	})
	return thin(s)
}

// thin leaves out points that would fall together in the picture.
func thin(s plot.Series) plot.Series {
	const most = 400
	if len(s.Points) <= most {
		return s
	}
	nines := func(p float64) float64 { return -math.Log10(1 - p/100) }
	last := s.Points[len(s.Points)-1]
	step := nines(last.X) / most
	out := s.Points[:1:1]
	for _, p := range s.Points[1:] {
		if nines(p.X)-nines(out[len(out)-1].X) >= step {
			out = append(out, p)
		}
	}
	s.Points = append(out, last)
	return s
}

// scaleFor is logarithmic where the values span more than two magnitudes.
func scaleFor(h *latency.Histogram) plot.Scale {
	if low := h.Percentile(0); low > 0 && h.Max() > 50*low {
		return plot.Log
	}
	return plot.Linear
}

// charts are the pictures of a run, without those that would be empty.
func charts(r *result.Result) (all []*plot.Chart) {
	add := func(c *plot.Chart) {
		for _, s := range c.Series {
			if len(s.Points) > 0 {
				all = append(all, c)
				return
			}
		}
	}
	t := &r.Total
	main := &t.Latency
	if main.Count() == 0 {
		main = &t.Handshake
	}
	curves := []plot.Series{curve("latency", &t.Latency), curve("last receiver", &t.Last)}
	if r.Plan.Cycles() {
		curves = append(curves, curve("handshake", &t.Handshake), curve("closing", &t.Closing), curve("back after the storm", &t.Back))
	}
	if r.Plan.Open() {
		curves = append(curves, curve("sender late", &t.Late))
	}
	add(&plot.Chart{Title: "Latency by percentile", X: plot.Tail, Y: scaleFor(main), XFormat: plot.Percentile, YFormat: plot.Nanoseconds, Series: curves})

	series := func(name string, f func(v *result.Interval) (float64, bool)) plot.Series {
		s := plot.Series{Name: name}
		for i := range r.Intervals {
			v := &r.Intervals[i]
			if y, ok := f(v); ok && v.To > v.From {
				s.Points = append(s.Points, plot.Point{X: v.To, Y: y})
			}
		}
		return s
	}
	rate := func(get func(*load.Tally) uint64) func(v *result.Interval) (float64, bool) {
		return func(v *result.Interval) (float64, bool) {
			return float64(get(&v.Tally)) / (v.To - v.From), t.Received+t.Opened > 0
		}
	}
	through := []plot.Series{}
	if t.Received > 0 {
		through = append(through, series("received", rate(func(t *load.Tally) uint64 { return t.Received })), series("sent", rate(func(t *load.Tally) uint64 { return t.Sent })))
	}
	if r.Plan.Cycles() {
		through = append(through, series("handshakes", rate(func(t *load.Tally) uint64 { return t.Opened })))
	}
	overTime := func(c plot.Chart) {
		c.XFormat = plot.Seconds
		for _, m := range r.Marks {
			c.Marks = append(c.Marks, plot.Mark{X: m.From, Text: m.Text})
		}
		add(&c)
	}
	overTime(plot.Chart{Title: "Throughput over time, per second", YFormat: plot.Count, Series: through})

	quantile := func(q float64) func(v *result.Interval) (float64, bool) {
		return func(v *result.Interval) (float64, bool) {
			h := &v.Tally.Latency
			if t.Latency.Count() == 0 {
				h = &v.Tally.Handshake
			}
			return float64(h.Percentile(q)), h.Count() > 0
		}
	}
	lastReceiver := func(v *result.Interval) (float64, bool) {
		return float64(v.Tally.Last.Percentile(99)), v.Tally.Last.Count() > 0
	}
	overTime(plot.Chart{Title: "Latency over time", Y: scaleFor(main), YFormat: plot.Nanoseconds,
		Series: []plot.Series{series("max", quantile(100)), series("p99", quantile(99)), series("p50", quantile(50)), series("last receiver, p99", lastReceiver)}})
	overTime(plot.Chart{Title: "Resident memory over time", Y: plot.Binary, YFormat: plot.Bytes, Series: []plot.Series{
		series("server", func(v *result.Interval) (float64, bool) { return float64(v.ServerRSS), r.Server != nil }),
		series("wsbench", func(v *result.Interval) (float64, bool) { return float64(v.ClientRSS), true })}})
	overTime(plot.Chart{Title: "CPU over time, in cores", YFormat: plot.Count, Series: []plot.Series{
		series("server", func(v *result.Interval) (float64, bool) { return v.ServerCPU, r.Server != nil }),
		series("wsbench", func(v *result.Interval) (float64, bool) { return v.ClientCPU, true })}})
	return all
}
