package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

func TestPrometheus(t *testing.T) {
	r := &result.Result{Seconds: 2, Plan: load.Plan{Scenario: load.Echo}, Server: &result.Server{PerMessage: 6 * time.Microsecond, RSS: 4096}}
	r.Total.Received = 100
	for range 100 {
		r.Total.Latency.Record(int64(time.Millisecond))
	}
	r.Ramp.Tally.Handshake.Record(int64(3 * time.Millisecond))
	var b bytes.Buffer
	if err := Prometheus(&b, r, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# TYPE wsbench_latency_seconds summary\n",
		`wsbench_latency_seconds{scenario="echo",quantile="0.99"} 0.001` + "\n",
		`wsbench_latency_seconds_count{scenario="echo"} 100` + "\n",
		"# HELP wsbench_handshake_seconds Seconds of handshake, before the load.\n",
		`wsbench_rate{scenario="echo"} 50` + "\n",
		`wsbench_cpu_seconds{scenario="echo"} 6e-06` + "\n",
		`wsbench_rss_bytes{scenario="echo"} 4096` + "\n",
		`wsbench_over{scenario="echo"} 0` + "\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	// The format: https://prometheus.io/docs/instrumenting/exposition_formats/
	line := regexp.MustCompile(`^(# (HELP|TYPE) wsbench_[a-z_]+ .+|wsbench_[a-z_]+\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\} [0-9.e+-]+)\n$`)
	kinds := map[string]bool{}
	for text := range strings.Lines(b.String()) {
		if !line.MatchString(text) {
			t.Errorf("malformed: %q", text)
		}
		if name, is := strings.CutPrefix(text, "# TYPE "); is && kinds[name] {
			t.Errorf("twice: %q", text)
		} else if is {
			kinds[name] = true
		}
	}
}
