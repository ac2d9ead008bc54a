package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
)

var update = flag.Bool("update", false, "write METRICS.md anew")

// measured launches a server with something to measure: a guest has joined a room, has said
// something seven times, once more with the same ref, and has been refused one thing.
func measured(t *testing.T) *service {
	t.Helper()
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--admin-listen=127.0.0.1:0")
	token, _ := s.guest("Ada")
	c, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	for i := range 8 {
		c.send(object{"type": "group", "receiver_id": "lobby", "content": "x", "ref": fmt.Sprint(i % 7)})
		if _, err := c.until("ack"); err != nil {
			t.Fatal(err)
		}
	}
	c.send(object{"type": "group", "receiver_id": "lobby"})
	if o, err := c.until("error"); err != nil || o.text("reason") != "missing_field" {
		t.Fatal(o, err)
	}
	return s
}

// metricsTable is what the table in METRICS.md should be.
func metricsTable(exposition string) string {
	var b strings.Builder
	b.WriteString("| name | kind | labels | |\n|---|---|---|---|\n")
	help := regexp.MustCompile(`(?m)^# HELP (hawser_\S+) (.*)\n# TYPE \S+ (\S+)\n`)
	for _, m := range help.FindAllStringSubmatch(exposition, -1) {
		name, words, kind := m[1], m[2], m[3]
		var labels []string
		for _, sample := range regexp.MustCompile(`(?m)^`+name+`(?:_bucket|_sum|_count)?\{(.*)\} `).FindAllStringSubmatch(exposition, -1) {
			for _, l := range regexp.MustCompile(`([a-z]+)="`).FindAllStringSubmatch(sample[1], -1) {
				if l[1] != "le" && !slices.Contains(labels, l[1]) {
					labels = append(labels, l[1])
				}
			}
		}
		list := ""
		if len(labels) > 0 {
			list = "`" + strings.Join(labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, list, words)
	}
	return b.String()
}

// METRICS.md lists every metric of ours, and the exposition is one that Prometheus' own tool
// has nothing to say against. To write the table anew: go test ./cmd/hawser -run MetricsListed -update
func TestMetricsListed(t *testing.T) {
	s := measured(t)
	status, exposition := get(t, s.admin(t)+"/metrics")
	if status != 200 {
		t.Fatalf("GET /metrics: %d %s", status, exposition)
	}
	for _, name := range []string{"go_goroutines", "go_gc_duration_seconds", "process_resident_memory_bytes", "process_open_fds", "go_build_info"} {
		if !strings.Contains(exposition, "\n"+name) {
			t.Errorf("no %s", name)
		}
	}
	page, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- metrics: begin -->\n"), []byte("<!-- metrics: end -->\n")
	from, to := bytes.Index(page, begin)+len(begin), bytes.Index(page, end)
	if from < len(begin) || to < from {
		t.Fatal("METRICS.md does not say where its table is")
	}
	want := metricsTable(exposition)
	if *update {
		if err := os.WriteFile("METRICS.md", slices.Concat(page[:from], []byte(want), page[to:]), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(want, string(page[from:to])); d != "" {
		t.Errorf("METRICS.md is not up to date (-shown +listed):\n%s", d)
	}

	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(exposition)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// People cannot read the metrics.
func TestMetricsOnlyForAdministrators(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--admin-listen=127.0.0.1:0")
	if status, body := get(t, s.url+"/metrics"); status != 404 {
		t.Errorf("GET /metrics at listen: %d %.80q", status, body)
	}
	resp, err := http.Post(s.admin(t)+"/metrics", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("POST /metrics at admin_listen: %s", resp.Status)
	}
}

// prometheus runs a Prometheus that scrapes one address, and returns where it answers.
func prometheus(t *testing.T, target string) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "scrape_configs: [{job_name: hawser, scrape_interval: 100ms, static_configs: [{targets: [%q]}]}]\n", target), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &logtest.Buffer{}
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	listens := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if m := listens.FindStringSubmatch(log.String()); m != nil {
			return "http://" + m[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("prometheus does not say where it listens:\n%s", log)
		}
	}
}

// ask is the value of a query; "" if there is none yet.
func askPrometheus(t *testing.T, at, query string) string {
	t.Helper()
	resp, err := http.Get(at + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if resp.StatusCode == 503 { // it replays its empty log
		return ""
	}
	if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != 200 || len(answer.Data.Result) > 1 {
		t.Fatalf("%s: %s %v %s", query, resp.Status, err, body)
	}
	if len(answer.Data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// A real Prometheus scrapes a real server, and knows what happened there.
func TestPrometheus(t *testing.T) {
	s := measured(t)
	at := prometheus(t, strings.TrimPrefix(s.admin(t), "http://"))
	for query, want := range map[string]string{
		"up": "1",
		`hawser_chat_appended_messages_total{result="stored"}`:              "7",
		`hawser_chat_appended_messages_total{result="duplicate"}`:           "1",
		`hawser_chat_append_batch_messages_sum`:                             "8",
		`hawser_chat_queue_wait_seconds_count{queue="sequencers"}`:          "8",
		`hawser_chat_deliveries_total{kind="room"}`:                         "7",
		`hawser_chat_refusals_total{reason="missing_field"}`:                "1",
		`hawser_handshakes_total{code="101"}`:                               "1",
		`hawser_messages_received_total`:                                    "10",
		`hawser_websockets`:                                                 "1",
		`hawser_chat_users`:                                                 "1",
		`hawser_chat_rooms`:                                                 "1",
		`hawser_engine_transaction_entries_sum`:                             "9", // with the guest
		`hawser_engine_healthy`:                                             "1",
		`hawser_loop_iteration_seconds_count > bool 0`:                      "1",
		`histogram_quantile(1, hawser_chat_append_seconds_bucket) > bool 0`: "1",
	} {
		got := ""
		for deadline := time.Now().Add(patience); got != want && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			got = askPrometheus(t, at, query)
		}
		if got != want {
			t.Errorf("%s is %q; want %s", query, got, want)
		}
	}
}
