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
