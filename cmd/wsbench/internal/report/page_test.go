package report

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
)

// sample is a result with something of everything.
func sample() *result.Result {
	r := &result.Result{
		Format: result.Format, Version: "test", Began: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
		Command: []string{"wsbench", "echo", "--url", "ws://127.0.0.1:9001/", "--threshold", "p99<10ms"},
		Plan:    load.Plan{Scenario: load.Echo, URL: "ws://127.0.0.1:9001/", Conns: 1000, Size: 128, Rate: 20_000, Duration: 5 * time.Second},
		Machine: host.Machine{CPU: "CPU", Cores: 2, Usable: 2, Memory: 4 << 30, Kernel: "Linux 6", Go: "go"},
		Seconds: 5,
		Server:  &result.Server{CPU: 0.5, PerMessage: 6100, RSS: 20 << 20},
		Workers: []result.WorkerNote{{Name: "this process", Threads: 2, Conns: 1000}},
	}
	for i := range 5 {
		v := result.Interval{From: float64(i), To: float64(i + 1), Ready: 1000, ServerCPU: 0.5, ServerRSS: int64(18+i) << 20, ClientRSS: 15 << 20, ClientCPU: 0.4}
		v.Tally.Sent, v.Tally.Received = 20_000, 20_000
		for k := range int64(20_000) {
			ns := 40_000 + k*7%90_000
			if k%1000 == 0 {
				ns *= 100
			}
			v.Tally.Latency.Record(ns)
			v.Tally.Late.Record(ns / 10)
		}
		r.Intervals = append(r.Intervals, v)
		r.Total.Add(&v.Tally)
	}
	return r
}

// failed is the same with everything wrong.
func failed() *result.Result {
	r := sample()
	r.Faults.Count = map[load.Fault]uint64{load.Lost: 3, load.Corrupted: 1}
	r.Faults.Examples = map[load.Fault][]string{load.Lost: {"connection 7: 3 of its own, number 12 first"}, load.Corrupted: {`connection 8: "<b>&"`}}
	r.Ends = map[string]int{"closed by the server with 1011 internal error": 2}
	r.Total.Broken = 2
	r.Audit.Bottleneck = []string{"its event loops were busy for 97% of the time"}
	r.Warnings = []string{"the hypervisor took 7.0% of the CPU for others (steal)"}
	return r
}

func comparison() *trial.Comparison {
	c := &trial.Comparison{Rounds: 5, ServerCPUs: []int{0}, ClientCPUs: []int{1}, Began: sample().Began, Command: []string{"wsbench", "compare"}, Plan: sample().Plan}
	for i, name := range []string{"hawser", "other"} {
		m := &trial.Measured{Candidate: trial.Candidate{Name: name, Command: name, URL: "ws://127.0.0.1:{port}/"}, Values: map[string][]float64{}, Total: sample().Total}
		for _, metric := range trial.Metrics(load.Echo) {
			for k := range 5 {
				m.Values[metric.Name] = append(m.Values[metric.Name], float64(1000*(i+1)+10*k))
			}
		}
		c.Servers = append(c.Servers, m)
	}
	return c
}

// The pages in a real browser: everything is there, nothing is wider than the
// window, nothing comes from elsewhere, in light and dark, large and small.
func TestPagesInABrowser(t *testing.T) {
	b, err := browser.Start(browser.Chromium)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reader, err := b.Profile(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pages := map[string]func(*bytes.Buffer) error{
		"good":       func(b *bytes.Buffer) error { return Page(b, sample()) },
		"failed":     func(b *bytes.Buffer) error { return Page(b, failed()) },
		"comparison": func(b *bytes.Buffer) error { return ComparisonPage(b, "Compared", []*trial.Comparison{comparison()}) },
	}
	want := map[string]struct {
		plots int
		texts []string
	}{
		"good":       {5, []string{"Every message was checked", "Latency by percentile", "99.99%", "20 k", "wsbench echo --url ws://127.0.0.1:9001/ --threshold 'p99<10ms'", "6.10 µs", "Linux 6"}},
		"failed":     {5, []string{"The client was the bottleneck", "3 messages lost", `"<b>&"`, "steal", "closed by the server with 1011"}},
		"comparison": {6, []string{"hawser", "higher is better", "ratio"}},
	}
	for name, make := range pages {
		var b bytes.Buffer
		if err := make(&b); err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{"http:", "https:", "<script", "url("} {
			if strings.Contains(strings.ReplaceAll(b.String(), "http://www.w3.org/2000/svg", ""), other) {
				t.Errorf("%s: the page refers to %q", name, other)
			}
		}
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, size := range [][2]int{{1400, 1000}, {390, 800}} {
			tab, err := reader.Open(ctx, size[0], size[1])
			if err != nil {
				t.Fatal(err)
			}
			if err := tab.Navigate(ctx, "file://"+path); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text := evaluate[string](t, ctx, tab, `document.body.innerText + ' ' + document.body.textContent`)
			wide := evaluate[int](t, ctx, tab, `document.documentElement.scrollWidth`)
			plots := evaluate[int](t, ctx, tab, `document.querySelectorAll('figure svg').length`)
			// What is written stays inside of its picture, which has some size.
			broken := evaluate[int](t, ctx, tab, `[...document.querySelectorAll('figure svg')].filter(s => {
				const f = s.getBoundingClientRect();
				return f.width < 200 || f.height < 40 || [...s.querySelectorAll('text')].some(e => {
					const r = e.getBoundingClientRect();
					return r.right > f.right + 1 || r.left < f.left - 1 || r.bottom > f.bottom + 1;
				});
			}).length`)
			shot := screenshot(t, ctx, tab, size[0])
			if wide > size[0] {
				t.Errorf("%s at %d: %d pixels wide", name, size[0], wide)
			}
			if plots != want[name].plots {
				t.Errorf("%s: %d plots, want %d", name, plots, want[name].plots)
			}
			if broken > 0 {
				t.Errorf("%s at %d: %d plots are empty, or text leaves them", name, size[0], broken)
			}
			for _, s := range want[name].texts {
				if !strings.Contains(text, s) {
					t.Errorf("%s: %q is not on the page", name, s)
				}
			}
			assertDrawn(t, name, shot)
			if keep := os.Getenv("SCREENSHOTS"); keep != "" {
				os.WriteFile(filepath.Join(keep, name+"-"+map[bool]string{true: "large", false: "small"}[size[0] > 1000]+".png"), shot, 0o600)
			}
		}
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, tab *browser.Tab, script string) (v T) {
	t.Helper()
	if err := tab.Eval(ctx, script, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// screenshot returns a picture of the whole page.
func screenshot(t *testing.T, ctx context.Context, tab *browser.Tab, width int) []byte {
	t.Helper()
	if err := tab.Resize(ctx, width, evaluate[int](t, ctx, tab, `document.documentElement.scrollHeight`)); err != nil {
		t.Fatal(err)
	}
	shot, err := tab.Screenshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return shot
}

// assertDrawn looks for the first colour of the plots in a screenshot.
func assertDrawn(t *testing.T, name string, shot []byte) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r>>8 < 0x40 && g>>8 > 0x60 && g>>8 < 0xa0 && b>>8 > 0xa0 {
				found++
			}
		}
	}
	if found < 100 {
		t.Errorf("%s: only %d pixels have a plot's colour", name, found)
	}
}

func TestText(t *testing.T) {
	var good, bad bytes.Buffer
	Text(&good, sample(), false)
	Text(&bad, failed(), true)
	for _, s := range []string{"echo: ws://127.0.0.1:9001/, 1000 connections, 128 bytes of text, open loop at 20000/s, 5s", "100000 sent, 100000 received in time: 20000/s", "nothing lost", "6.10 µs of CPU per message"} {
		if !strings.Contains(good.String(), s) {
			t.Errorf("%q is missing in\n%s", s, &good)
		}
	}
	if strings.Contains(good.String(), "\x1b") {
		t.Error("coloured without being asked")
	}
	for _, s := range []string{"\x1b[1;31m  THE CLIENT WAS THE BOTTLENECK", "\x1b[1;31m  FAILED: 3 messages lost, 1 messages corrupted, 2 connections broken", "lost: connection 7", "2 times: closed by the server with 1011", "\x1b[33m  warning: the hypervisor"} {
		if !strings.Contains(bad.String(), s) {
			t.Errorf("%q is missing in\n%s", s, &bad)
		}
	}
}

func TestQuote(t *testing.T) {
	got := Quote([]string{"wsbench", "--a", "x=y {port}", "it's", ""})
	if want := `wsbench --a 'x=y {port}' 'it'\''s' ''`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestMarkdownAndReadme(t *testing.T) {
	c := comparison()
	c.Plan.Rate, c.Plan.Inflight = 0, 16
	c.Servers[1].Limited = 4
	text := Markdown([]*trial.Comparison{c})
	for _, s := range []string{"| hawser | 1.02 µs (1.00 µs–1.04 µs) | 1.02 k |", `2.02 k\* |`, "16 in flight"} {
		if !strings.Contains(text, s) {
			t.Errorf("%q is missing in\n%s", s, text)
		}
	}
	path := filepath.Join(t.TempDir(), "README.md")
	os.WriteFile(path, []byte("before\n"+beginMark+"old\n"+endMark+"after\n"), 0o600)
	if err := Between(path, "new\n"); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "before\n"+beginMark+"new\n"+endMark+"after\n" {
		t.Errorf("%s", b)
	}
	os.WriteFile(path, []byte("nothing"), 0o600)
	if err := Between(path, "new"); err == nil {
		t.Error("a file without marks is taken")
	}
}
