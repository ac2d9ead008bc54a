package result

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// compared are the metrics that Diff shows, as conditions name them.
var compared = []string{"rate", "p50", "p90", "p99", "p99.9", "p99.99", "max", "last.p50", "last.p99", "connrate", "handshake.p50", "handshake.p99", "back.max", "late.p99", "cpu", "rss", "faults", "refused", "broken", "postponed"}

// Diff prints two runs beside each other, with the ratio of the second to the
// first. One run each is no proof of a difference; what differs in how they were
// made stands on top.
func Diff(w io.Writer, a, b *Result) error {
	for _, r := range []struct {
		name string
		*Result
	}{{"A", a}, {"B", b}} {
		if r.Partial != "" {
			fmt.Fprintf(w, "%s is not a whole run: %s\n\n", r.name, r.Partial)
		}
	}
	if diffs := a.unlike(b); len(diffs) > 0 {
		fmt.Fprintln(w, "The two runs are not alike:")
		for _, d := range diffs {
			fmt.Fprintln(w, "  "+d)
		}
		fmt.Fprintln(w)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "metric\tA\tB\tB/A\t")
	for _, name := range compared {
		m, _ := Find(name)
		x, y := m.Value(a), m.Value(b)
		if math.IsNaN(x) && math.IsNaN(y) || x == 0 && y == 0 {
			continue
		}
		ratio := "–"
		if x != 0 && !math.IsNaN(x+y) {
			ratio = fmt.Sprintf("%.3f", y/x)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", name, m.Unit.show(x), m.Unit.show(y), ratio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\nOne run each shows no more than that they differed; wsbench compare alternates and gives an interval.")
	return err
}

// ShortTime prints a duration to three digits.
func ShortTime(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return digits(float64(d)/1e3) + " µs"
	case d < time.Second:
		return digits(float64(d)/1e6) + " ms"
	}
	return digits(float64(d)/1e9) + " s"
}

func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func protocol(r *Result) string {
	if r.Plan.Dialect == nil {
		return "none"
	}
	return r.Plan.Dialect.Name
}

func recorded(r *Result) string {
	if r.Plan.Recording == nil {
		return ""
	}
	return r.Plan.Recording.String()
}

func secure(r *Result) bool { return strings.HasPrefix(strings.ToLower(r.Plan.URL), "wss:") }

// crew is how many workers with how many threads did a run.
func crew(r *Result) string {
	var threads []string
	for _, w := range r.Workers {
		threads = append(threads, fmt.Sprint(w.Threads))
	}
	return fmt.Sprintf("%d with %s threads", len(r.Workers), strings.Join(threads, ", "))
}

// unlike lists what makes two runs incomparable, or nearly.
func (a *Result) unlike(b *Result) (list []string) {
	differ := func(what string, x, y any) {
		if fmt.Sprint(x) != fmt.Sprint(y) {
			list = append(list, fmt.Sprintf("%s: %v and %v", what, x, y))
		}
	}
	differ("scenario", a.Plan.Scenario, b.Plan.Scenario)
	differ("connections", a.Plan.Conns, b.Plan.Conns)
	differ("size", a.Plan.Size, b.Plan.Size)
	differ("binary", a.Plan.Binary, b.Plan.Binary)
	differ("in flight", a.Plan.Inflight, b.Plan.Inflight)
	differ("rate", a.Plan.Rate, b.Plan.Rate)
	differ("stages", a.Plan.Stages, b.Plan.Stages)
	differ("think time", a.Plan.Think, b.Plan.Think)
	differ("payload", a.Plan.Filler, b.Plan.Filler)
	differ("protocol", protocol(a), protocol(b))
	differ("publishers", a.Plan.Publishers, b.Plan.Publishers)
	differ("publishers receive their own", a.Plan.Self, b.Plan.Self)
	differ("room size", a.Plan.RoomSize, b.Plan.RoomSize)
	differ("rooms", max(a.Plan.Rooms, 1), max(b.Plan.Rooms, 1))
	differ("at a time", a.Plan.AtOnce, b.Plan.AtOnce)
	differ("returning", a.Plan.Returning, b.Plan.Returning)
	differ("slow share", a.Plan.SlowShare, b.Plan.SlowShare)
	differ("irregular", a.Plan.Poisson, b.Plan.Poisson)
	differ("warm-up", a.Plan.Warmup, b.Plan.Warmup)
	differ("TLS", secure(a), secure(b))
	differ("workers", crew(a), crew(b))
	differ("compression", a.Deflate, b.Deflate)
	differ("recording", recorded(a), recorded(b))
	differ("speed", a.Plan.Speed, b.Plan.Speed)
	differ("spread", a.Plan.Spread, b.Plan.Spread)
	differ("HTTP/2", a.Plan.HTTP2, b.Plan.HTTP2)
	differ("duration", a.Plan.Duration, b.Plan.Duration)
	differ("machine", a.Machine, b.Machine)
	differ("client limited the run", strings.Join(a.Audit.Bottleneck, "; "), strings.Join(b.Audit.Bottleneck, "; "))
	return list
}
