package screen

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/plot"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
)

// Screen is where progress is shown.
type Screen struct {
	now      func() time.Time
	w        io.Writer
	c        report.Colour
	terminal bool

	mu    sync.Mutex
	drawn bool      // Guarded by mu. The terminal's line is in use.
	phase run.Phase // Guarded by mu.
	when  time.Time // Guarded by mu. When the last plain line was written.
}

// New shows progress on w.
func New(w io.Writer, c report.Colour) *Screen {
	return &Screen{now: time.Now, w: w, c: c, terminal: report.Terminal(w)}
}

// plainEvery is how often a line is written where none is drawn again.
const plainEvery = time.Second

// Show shows p.
func (s *Screen) Show(p run.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Note != "" {
		s.clear()
		fmt.Fprintln(s.w, terminal.Escape(p.Note))
	}
	line := s.line(p)
	if s.terminal {
		s.clear()
		fmt.Fprint(s.w, line)
		s.drawn = true
		return
	}
	last := p.Phase == run.Measuring && p.Done >= p.Total
	if p.Phase == s.phase && s.now().Sub(s.when) < plainEvery*9/10 && !last {
		return
	}
	s.phase, s.when = p.Phase, s.now()
	fmt.Fprintln(s.w, line)
}

// Close leaves the line empty.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *Screen) clear() {
	if s.drawn {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.drawn = false
	}
}

func (s *Screen) line(p run.Progress) string {
	switch p.Phase {
	case run.Connecting, run.Holding:
		return fmt.Sprintf("%s %s %d of %d connections", p.Phase, s.bar(float64(p.Ready), float64(p.Of)), p.Ready, p.Of)
	case run.Draining:
		return string(p.Phase)
	case run.Warming:
		return fmt.Sprintf("%s for %v, %d connections", p.Phase, p.Total, p.Ready)
	}
	v := p.Interval
	if v == nil {
		return string(p.Phase)
	}
	t := &v.Tally
	seconds := max(v.To-v.From, 1e-9)
	parts := []string{fmt.Sprintf("%s %v", s.bar(p.Done.Seconds(), p.Total.Seconds()), p.Done.Round(100*time.Millisecond))}
	if t.Latency.Count() > 0 || t.Received > 0 {
		parts = append(parts, s.c.Bold(plot.Count(float64(t.Received)/seconds)+"/s"),
			"p50 "+result.ShortTime(t.Latency.Percentile(50)), "p99 "+result.ShortTime(t.Latency.Percentile(99)))
	}
	if t.Opened > 0 {
		parts = append(parts, fmt.Sprintf("%.0f handshakes/s p99 %s", float64(t.Opened)/seconds, result.ShortTime(t.Handshake.Percentile(99))))
	}
	if v.ServerRSS > 0 {
		parts = append(parts, fmt.Sprintf("server %.2f cores %s", v.ServerCPU, plot.Bytes(float64(v.ServerRSS))))
	}
	parts = append(parts, s.c.Dim(fmt.Sprintf("client %.2f cores", v.ClientCPU)))
	if bad := t.Refused + t.Broken + t.Postponed; bad > 0 {
		parts = append(parts, s.c.Red(fmt.Sprintf("%d errors", bad)))
	}
	return strings.Join(parts, "  ")
}

// bar is progress as a picture, on a terminal.
func (s *Screen) bar(done, of float64) string {
	const wide = 20
	if of <= 0 {
		of = 1
	}
	if !s.terminal {
		return fmt.Sprintf("%3.0f%%", 100*done/of)
	}
	n := min(int(done/of*wide), wide)
	return strings.Repeat("█", n) + s.c.Dim(strings.Repeat("░", wide-n))
}
