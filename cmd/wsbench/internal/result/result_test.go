package result

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

func sample() *Result {
	r := &Result{Format: Format, Seconds: 2, Workers: []WorkerNote{{Threads: 2}}, Plan: load.Plan{Scenario: load.Echo, Conns: 5}, Server: &Server{PerMessage: 6 * time.Microsecond, RSS: 1 << 20}}
	for range 100 {
		r.Total.Latency.Record(int64(time.Millisecond))
	}
	r.Total.Latency.Record(int64(50 * time.Millisecond))
	r.Total.Sent, r.Total.Received = 101, 101
	r.Ramp.Tally.Login.Record(int64(2 * time.Millisecond))
	r.Ramp.Tally.Handshake.Record(int64(2 * time.Millisecond))
	r.Faults.Count = map[load.Fault]uint64{load.Lost: 2}
	r.Intervals = []Interval{{From: 0, To: 2, Tally: r.Total, Ready: 5}}
	return r
}

func TestConditions(t *testing.T) {
	r := sample()
	for text, want := range map[string]bool{
		"p99<10ms": true, "p99 <= 1.1ms": true, "p99.9>40ms": true, "max=50ms": true, "p50>2ms": false,
		"lost=0": false, "lost=2": true, "lost!=0": true, "doubled=0": true, "faults>1": true,
		"rate>=50.5": true, "rate>51": false, "cpu<7us": true, "rss<2e6": true, "failures=1": true,
		"last.p99<1s": false, "last.p99>1s": false, // not measured: neither holds
		"mean>1ms": true, "client<0.5": true,
		"p(99)<10": true, "p(99.9)>40": true, "avg<1": false, "med<2": true, "lost==2": true, "last.p(99)<1": false, "handshake.p(50)<3": true,
		"login.p50<3ms": true, "handshake.max<1ms": false, // the ramp's
	} {
		list, err := ParseConditions(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, found := list[0].Holds(r); got != want {
			t.Errorf("%s: %t (%s), want %t", text, got, found, want)
		}
	}
	if list, err := ParseConditions("p99<10ms, lost=0"); err != nil || len(list) != 2 || list[1].Text != "lost=0" {
		t.Errorf("%v, %v", list, err)
	}
	for text, want := range map[string]string{
		"p99": "none of", "p99<10apples": `"10apples" is no duration`, "p(99<1": `no metric "p(99"`, "p)<1": `no metric "p)"`, "p99.9.9<1": `no metric`, "lost=few": `"few" is no number`, "p101<1ms": `no metric "p101"`, "speed>1": `no metric "speed"`, "": "none of",
		"last.rate>1": `no metric`, "pNaN<1ms": `no metric "pnan"`, "lost>NaN": `"NaN" is no number`,
	} {
		if _, err := ParseConditions(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	r := sample()
	var err error
	if r.Plan.Dialect, err = dialect.Open("centrifugo"); err != nil {
		t.Fatal(err)
	}
	save := func(r *Result) {
		t.Helper()
		if err := (outfile.File{Path: path}).Write(r.WriteJSON); err != nil {
			t.Fatal(err)
		}
	}
	save(r)
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Total.Latency.Percentile(99.9) != r.Total.Latency.Percentile(99.9) || got.Intervals[0].Tally.Latency.Count() != 101 || got.Plan.Dialect.Name != r.Plan.Dialect.Name || got.Faults.Total() != 2 {
		t.Errorf("%+v", got)
	}
	var plain struct {
		PerSecond Rates `json:"per_second"`
		Total     struct {
			Latency struct {
				P50 int64 `json:"p50_ns"`
			} `json:"latency"`
		} `json:"total"`
	}
	if b, err := os.ReadFile(path); err != nil || json.Unmarshal(b, &plain) != nil || plain.PerSecond.Messages != 50.5 || plain.Total.Latency.P50 != int64(r.Total.Latency.Percentile(50)) {
		t.Errorf("%+v, %v", plain, err)
	}
	empty := *r
	empty.Seconds = 0
	save(&empty)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "not a run") {
		t.Errorf("no run: %v", err)
	}
	empty.Partial = "interrupted by SIGINT while connecting"
	save(&empty)
	if r, err := Load(path); err != nil || r.Partial != empty.Partial {
		t.Errorf("a run that was cut short: %v", err)
	}
	r.Format = 99
	save(r)
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "format 99") {
		t.Errorf("another format: %v", err)
	}
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) || rows[1][3] != "101" {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestDiff(t *testing.T) {
	a, b := sample(), sample()
	b.Plan.Conns = 7
	b.Plan.Filler = 1
	b.Plan.URL = "wss://127.0.0.1/"
	b.Workers = append(b.Workers, WorkerNote{Threads: 1})
	b.Total.Received = 202
	var out bytes.Buffer
	if err := Diff(&out, a, b); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"connections: 5 and 7", "payload: 0 and 1", "TLS: false and true", "workers: 1 with 2 threads and 2 with 2, 1 threads", "2.000", "1.000", "One run each"} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("%q is missing in\n%s", s, &out)
		}
	}
}

// A run in which nothing was sent shows nothing.
func TestNothingSent(t *testing.T) {
	r := sample()
	r.Faults.Count = nil
	if list := r.Failures(); len(list) != 0 {
		t.Errorf("%q", list)
	}
	r.Total.Sent = 0
	if list := r.Failures(); len(list) != 1 || !strings.Contains(list[0], "no message was sent") {
		t.Errorf("%q", list)
	}
	r.Plan.Scenario = load.Idle
	if list := r.Failures(); len(list) != 0 {
		t.Errorf("idle: %q", list)
	}
}
