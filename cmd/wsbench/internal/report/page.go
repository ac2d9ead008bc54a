package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/plot"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

//go:embed page.html
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "page.html"))

// page is what the template shows.
type page struct {
	Title, When     string
	Bad, Warn, Good []string
	Cards           []fact
	Plots           []template.HTML
	Tables          []table
	Facts           []fact
}

type fact struct {
	Name, Value string
	Code        bool
}

type table struct {
	Title, Note string
	Head        []string
	Rows        [][]string
}

// Page writes the HTML page of one result.
func Page(w io.Writer, r *result.Result) error {
	p := &page{Title: Title(r), When: r.Began.Format("2 January 2006, 15:04:05 MST")}
	for _, text := range partial(r) {
		p.Bad = append(p.Bad, "Partial: "+text)
	}
	for _, text := range r.Audit.Bottleneck {
		p.Bad = append(p.Bad, "The client was the bottleneck: "+text)
	}
	if f := r.Failures(); len(f) > 0 {
		p.Bad = append(p.Bad, "Failed: "+strings.Join(f, ", "))
	} else if r.Seconds > 0 {
		p.Good = append(p.Good, "Every message was checked: nothing lost, doubled, out of order, corrupted or unsolicited.")
	}
	p.Warn = r.Warnings
	for _, m := range r.Marks {
		if m.Error != "" {
			p.Bad = append(p.Bad, fmt.Sprintf("What was to be done at %.2f s failed: %s: %s", m.From, m.Text, m.Error))
		}
	}
	p.cards(r)
	for _, c := range charts(r) {
		p.Plots = append(p.Plots, template.HTML(c.SVG()))
	}
	p.tables(r)
	p.facts(r)
	return pageTemplate.Execute(w, p)
}

func (p *page) card(name, value string) {
	p.Cards = append(p.Cards, fact{Name: name, Value: value})
}

func (p *page) cards(r *result.Result) {
	t := &r.Total
	if t.Received > 0 {
		p.card("messages received per second", plot.Count(r.Rate()))
	}
	if r.Plan.Cycles() {
		name := "handshakes per second"
		if r.Plan.Scenario == load.Login {
			name = "log-ins per second"
		}
		p.card(name, plot.Count(r.ConnRate()))
		p.card("handshake p50", result.ShortTime(t.Handshake.Percentile(50)))
		p.card("handshake p99", result.ShortTime(t.Handshake.Percentile(99)))
	}
	if t.Latency.Count() > 0 {
		p.card("latency p50", result.ShortTime(t.Latency.Percentile(50)))
		p.card("latency p99", result.ShortTime(t.Latency.Percentile(99)))
		p.card("latency p99.99", result.ShortTime(t.Latency.Percentile(99.99)))
		p.card("longest", result.ShortTime(t.Latency.Max()))
	}
	if t.Last.Count() > 0 {
		p.card("last receiver p50", result.ShortTime(t.Last.Percentile(50)))
		p.card("last receiver p99", result.ShortTime(t.Last.Percentile(99)))
	}
	if s := r.Server; s != nil {
		if s.PerMessage > 0 {
			p.card("server CPU per message", result.ShortTime(s.PerMessage))
		}
		p.card("server memory", plot.Bytes(float64(s.RSS)))
	}
	if i := r.Idle; i != nil && r.Server != nil {
		p.card("server memory per connection", plot.Bytes(i.PerConn))
		if r.Plan.HasRooms() {
			p.card("for its rooms", plot.Bytes(i.Joins))
		}
	}
	p.card("messages lost", strconv.FormatUint(r.Faults.Count[load.Lost], 10))
}

func (p *page) tables(r *result.Result) {
	t := table{Title: "Percentiles", Head: []string{"", "count", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"}}
	for _, trend := range result.Trends {
		h, before := trend.Of(r)
		if h.Count() == 0 {
			continue
		}
		name := trend.Title
		if before {
			name += ", before the load"
		}
		cells := []string{name, strconv.FormatInt(h.Count(), 10), result.ShortTime(h.Mean())}
		for _, q := range []float64{50, 90, 99, 99.9, 99.99, 100} {
			cells = append(cells, result.ShortTime(h.Percentile(q)))
		}
		t.Rows = append(t.Rows, cells)
	}
	p.Tables = append(p.Tables, t)
	if len(r.Failures()) == 0 {
		return
	}
	f := table{Title: "What was wrong", Head: []string{"", "how often", "for example"}}
	for _, kind := range load.FaultKinds {
		if n := r.Faults.Count[kind]; n > 0 {
			f.Rows = append(f.Rows, []string{string(kind), strconv.FormatUint(n, 10), strings.Join(r.Faults.Examples[kind], "; ")})
		}
	}
	for text, n := range r.Ends {
		f.Rows = append(f.Rows, []string{"connection", strconv.Itoa(n), text})
	}
	p.Tables = append(p.Tables, f)
}

func (p *page) facts(r *result.Result) {
	add := func(name, value string) { p.Facts = append(p.Facts, fact{Name: name, Value: value}) }
	p.Facts = append(p.Facts, fact{Name: "command", Value: Quote(r.Command), Code: true})
	add("machine", r.Machine.String())
	add("wsbench", r.Version)
	for _, n := range r.Workers {
		text := fmt.Sprintf("%d connections, %d threads", n.Conns, n.Threads)
		if n.ClockError > 0 {
			text += fmt.Sprintf(", clock known to ±%v, %s", n.ClockError, n.Machine)
		}
		add(n.Name, text)
	}
	add("client", fmt.Sprintf("%.2f cores, %.0f%% of what its loops can use; %d garbage collections", r.Audit.CPU, 100*r.Audit.Share, r.Audit.GCs))
	if r.Server != nil {
		add("server", fmt.Sprintf("%.2f cores", r.Server.CPU))
	}
	add("warm-up", r.Plan.Warmup.String())
}

// Quote writes a command as a shell reads it.
func Quote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if a != "" && !strings.ContainsAny(a, " \t\n\"'\\$`!*?&|;<>()[]{}#~") {
			out[i] = a
		} else {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
