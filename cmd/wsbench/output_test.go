package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// Samples on standard output are alone there: the report goes to standard error.
func TestSamplesAreStreamed(t *testing.T) {
	_, url := serve(t, nil)
	run := []string{"echo", "--url", url, "--conns", "2", "--rate", "100", "--warmup", "0s", "--duration", "400ms", "--interval", "100ms", "--quiet"}
	status, out, errs := wsbench(t, append(run, "--output", "json")...)
	if status != exitGood || !strings.Contains(errs, "40 sent") {
		t.Fatalf("status %d\n%s", status, errs)
	}
	path := filepath.Join(t.TempDir(), "samples")
	status, report, errs := wsbench(t, append(run, "--output", "json="+path)...)
	if status != exitGood || !strings.Contains(report, "40 sent") {
		t.Fatalf("status %d\n%s", status, errs)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out, string(file)} {
		n := uint64(0)
		for line := range strings.Lines(text) {
			var v result.Interval
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			n += v.Tally.Sent
		}
		if lines := strings.Count(text, "\n"); lines != 4 || n < 38 { // the last may be sent after the last sample
			t.Errorf("%d samples with %d of 40 messages", lines, n)
		}
	}
}

func TestBenchstat(t *testing.T) {
	_, url := serve(t, nil)
	status, out, errs := wsbench(t, "echo", "--url", url, "--conns", "2", "--rate", "100", "--warmup", "0s", "--duration", "200ms", "--quiet", "--format", "benchstat")
	if status != exitGood {
		t.Fatalf("status %d\n%s", status, errs)
	}
	line := regexp.MustCompile(`(?m)^BenchmarkEcho/conns=2/size=128/rate=100 20(( [0-9.e+-]+ \S+)+)$`).FindStringSubmatch(out)
	if line == nil || !strings.Contains(out, "goos: linux\n") {
		t.Fatalf("%s", out)
	}
	for _, unit := range []string{" p99.99-ns", " handshake.p50-ns", " rate/s", " lost"} {
		if !strings.Contains(line[1]+" ", unit+" ") {
			t.Errorf("no %q in %s", unit, line[1])
		}
	}
}

// A command that is run amid the load stands in the report, and across its plots.
func TestRunCommand(t *testing.T) {
	_, url := serve(t, nil)
	dir := t.TempDir()
	done, page, kept := filepath.Join(dir, "done"), filepath.Join(dir, "r.html"), filepath.Join(dir, "r.json")
	status, out, errs := wsbench(t, "fanout", "--url", url, "--conns", "1", "--rate", "50", "--warmup", "0s", "--duration", "400ms", "--interval", "100ms", "--quiet",
		"--run", "250ms=echo no; false", "--run", "100ms=touch "+done, "--html", page, "--json", kept)
	if _, err := os.Stat(done); err != nil || status != exitFailed || !strings.Contains(out, "FAILED: exit status 1 no") {
		t.Errorf("%v; status %d\n%s%s", err, status, out, errs)
	}
	r, err := result.Load(kept)
	if err != nil || len(r.Marks) != 2 || r.Marks[0].From < 0.1 || r.Marks[0].Error != "" || r.Marks[1].From < 0.25 {
		t.Fatalf("%+v, %v", r, err)
	}
	html, err := os.ReadFile(page)
	for _, want := range []string{`class="mark"`, "touch " + done, "What was to be done at "} {
		if err != nil || !strings.Contains(string(html), want) {
			t.Errorf("%v; the page lacks %s", err, want)
		}
	}
}

func TestCompletionAndVersion(t *testing.T) {
	if status, out, errs := wsbench(t, "completion", "bash"); status != exitGood || !strings.Contains(out, "\tcase $COMP_CWORD") || !strings.Contains(out, "--threshold") || !strings.Contains(out, " storm ") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if status, _, errs := wsbench(t, "completion", "tcsh"); status != exitUsage || !strings.Contains(errs, "bash, zsh or fish") {
		t.Errorf("status %d, %s", status, errs)
	}
	if status, out, _ := wsbench(t, "--version"); status != exitGood || !strings.HasPrefix(out, "wsbench ") {
		t.Errorf("status %d, %s", status, out)
	}
}
