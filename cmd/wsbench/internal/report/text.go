package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/latency"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/plot"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// Text prints a result.
func Text(w io.Writer, r *result.Result, c Colour) {
	p := &r.Plan
	fmt.Fprintln(w, c.Bold(Title(r)))
	for _, text := range partial(r) {
		fmt.Fprintln(w, c.Red("  PARTIAL: "+text))
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	t := &r.Total
	if p.Scenario != load.Connect && p.Scenario != load.Login {
		line("connections", "%d of %d in %.2f s%s", r.Ramp.Tally.Opened, p.Members(), r.Ramp.Seconds, quantiles(", handshake", &r.Ramp.Tally.Handshake))
	}
	if r.Seconds == 0 { // it was cut short before anything was measured
		percentiles(line, "login", &r.Ramp.Tally.Login)
		server(line, r)
		faults(w, r, c)
		return
	}
	switch {
	case p.Scenario == load.Login:
		line("log-ins", "%d in %.2f s: %s", t.Latency.Count(), r.Seconds, c.Bold(fmt.Sprintf("%.0f/s", float64(t.Latency.Count())/r.Seconds)))
		percentiles(line, "  token", &t.Token)
		percentiles(line, "  handshake", &t.Handshake)
		percentiles(line, "  in protocol", &t.Login)
	case p.Cycles():
		line("handshakes", "%d, %.0f/s", t.Opened, r.ConnRate())
		percentiles(line, "  handshake", &t.Handshake)
		percentiles(line, "  of it TCP", &t.TCP)
		percentiles(line, "  in protocol", &t.Login)
		percentiles(line, "  closing", &t.Closing)
		percentiles(line, "  back", &t.Back)
	case p.Scenario != load.Idle:
		line("messages", "%d sent, %d received in time: %s", t.Sent, t.Received, c.Bold(fmt.Sprintf("%.0f/s", r.Rate())))
	}
	percentiles(line, "latency", &t.Latency)
	percentiles(line, "last receiver", &t.Last)
	percentiles(line, "login", &r.Ramp.Tally.Login)
	percentiles(line, "join", &r.Ramp.Tally.Join)
	if p.Open() {
		percentiles(line, "sender late", &t.Late)
	}
	server(line, r)
	for _, m := range r.Marks {
		text := fmt.Sprintf("at %.2f s, for %.2f s: %s", m.From, m.To-m.From, m.Text)
		if m.Error != "" {
			text += c.Red(" FAILED: " + m.Error)
		}
		line("mark", "%s", text)
	}
	line("wsbench", "%.2f cores (%.0f%% of what its loops can use), loops called %s late (p99), %d GCs%s",
		r.Audit.CPU, 100*r.Audit.Share, result.ShortTime(r.Audit.LagP99), r.Audit.GCs, pause(r))
	for _, n := range r.Workers {
		if len(r.Workers) > 1 {
			clock := ""
			if n.ClockError > 0 {
				clock = fmt.Sprintf(", clock known to ±%v", n.ClockError.Round(time.Microsecond))
			}
			line("  "+n.Name, "%d connections%s", n.Conns, clock)
		}
	}
	faults(w, r, c)
	for _, text := range r.Audit.Bottleneck {
		fmt.Fprintln(w, c.Red("  THE CLIENT WAS THE BOTTLENECK: "+text))
	}
	for _, text := range r.Warnings {
		fmt.Fprintln(w, c.Yellow("  warning: "+text))
	}
}

// partial says why a result is not a whole run's, if it is not.
func partial(r *result.Result) (list []string) {
	if r.Partial != "" {
		list = append(list, r.Partial)
	}
	if r.Unanswered > 0 {
		list = append(list, fmt.Sprintf("%d messages were not answered yet; they are not counted as lost", r.Unanswered))
	}
	return list
}

// Title names what was run.
func Title(r *result.Result) string {
	p := &r.Plan
	how := ""
	switch {
	case p.Scenario == load.Replay:
		how = ", " + p.Recording.String()
		if p.Speed != 1 {
			how += fmt.Sprintf(", %g times as fast", p.Speed)
		}
		if p.Spread > 0 {
			how += fmt.Sprintf(", beginning within %v", p.Spread)
		}
	case p.Open():
		at := "at"
		if len(p.Stages) > 0 {
			at = fmt.Sprintf("in %d stages, at up to", len(p.Stages))
		}
		unit := "/s"
		if p.Cycles() {
			unit = " connections/s"
		}
		how = fmt.Sprintf(", open loop %s %s%s", at, trimRate(p.MaxRate()), unit)
	case p.Scenario == load.Login && p.AtOnce > 0:
		how = fmt.Sprintf(", %d at a time", p.AtOnce)
	case p.Inflight > 0 && p.Scenario != load.Connect:
		how = fmt.Sprintf(", closed loop with %d in flight", p.Inflight)
		if p.Think > 0 {
			how += fmt.Sprintf(" and %v between", p.Think)
		}
	}
	what := string(p.Scenario)
	if p.Dialect != nil {
		what += " (" + p.Dialect.Name + ")"
	}
	size := ""
	if p.Sends() {
		kind := "text"
		if p.Binary {
			kind = "binary"
		}
		size = fmt.Sprintf(", %d bytes of %s", p.Size, kind)
	}
	if r.Deflate {
		size += ", permessage-deflate"
	}
	if p.HTTP2 {
		size += ", over HTTP/2"
	}
	if p.HasRooms() && p.Rooms > 1 {
		how += fmt.Sprintf(", in %d rooms of %d", p.Rooms, p.RoomSize)
	}
	long := ""
	if p.Scenario != load.Login { // which takes as long as it takes
		long = fmt.Sprintf(", %v", p.Duration)
	}
	return fmt.Sprintf("%s: %s, %d connections%s%s%s", what, p.URL, p.Conns, size, how, long)
}

func trimRate(v float64) string {
	if v >= 1 && v == float64(int64(v)) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%g", v)
}

func percentiles(line func(name, format string, args ...any), name string, h *latency.Histogram) {
	if h.Count() == 0 {
		return
	}
	s := func(p float64) string { return result.ShortTime(h.Percentile(p)) }
	line(name, "p50 %s  p90 %s  p99 %s  p99.9 %s  p99.99 %s  max %s", s(50), s(90), s(99), s(99.9), s(99.99), s(100))
}

func quantiles(name string, h *latency.Histogram) string {
	if h.Count() == 0 {
		return ""
	}
	return fmt.Sprintf("%s p50 %s p99 %s", name, result.ShortTime(h.Percentile(50)), result.ShortTime(h.Percentile(99)))
}

func server(line func(name, format string, args ...any), r *result.Result) {
	if s := r.Server; s != nil {
		per := ""
		if s.PerMessage > 0 {
			per = fmt.Sprintf(", %s of CPU per message", result.ShortTime(s.PerMessage))
		}
		if s.PerConn > 0 {
			per += fmt.Sprintf(", %s per connection made", result.ShortTime(s.PerConn))
		}
		line("server", "%.2f cores%s, %s resident (%s before)", s.CPU, per, plot.Bytes(float64(s.RSS)), plot.Bytes(float64(s.RSSBefore)))
	}
	if i := r.Idle; i != nil {
		if r.Server != nil {
			line("idle", "%.0f bytes resident per connection (%.0f from the first one on)", i.PerConn, i.FromZero)
			if r.Plan.HasRooms() {
				line("joins", "%.0f bytes more per connection, for %d rooms of %d", i.Joins, max(r.Plan.Rooms, 1), r.Plan.RoomSize)
			}
		}
		ends := "this end"
		if i.BothEnds {
			ends = "each end"
		}
		line("kernel", "%.0f bytes of kernel memory per connection, %s", i.Kernel, ends)
	}
}

func pause(r *result.Result) string {
	if r.Audit.GCPause == 0 {
		return ""
	}
	return fmt.Sprintf(", stopped for up to %s", result.ShortTime(r.Audit.GCPause))
}

// maxEnds bounds how many kinds of ends are printed.
const maxEnds = 8

// faults prints what was wrong.
func faults(w io.Writer, r *result.Result, c Colour) {
	failures := r.Failures()
	switch {
	case len(failures) > 0:
		fmt.Fprintln(w, c.Red("  FAILED: "+strings.Join(failures, ", ")))
	case r.Seconds > 0 && r.Plan.Scenario == load.Replay:
		fmt.Fprintf(w, "  %-16s %s\n", "checked", "each message that has an answer in the recording was answered")
	case r.Seconds > 0:
		fmt.Fprintf(w, "  %-16s %s\n", "checked", "nothing lost, doubled, out of order, corrupted or unsolicited")
	}
	for _, kind := range load.FaultKinds {
		for _, e := range r.Faults.Examples[kind] {
			fmt.Fprintf(w, "    %s: %s\n", kind, e)
		}
	}
	texts := slices.SortedFunc(maps.Keys(r.Ends), func(a, b string) int { return r.Ends[b] - r.Ends[a] })
	for i, text := range texts {
		if i == maxEnds {
			fmt.Fprintf(w, "    and %d other reasons\n", len(texts)-i)
			break
		}
		fmt.Fprintf(w, "    %d times: %s\n", r.Ends[text], text)
	}
}
