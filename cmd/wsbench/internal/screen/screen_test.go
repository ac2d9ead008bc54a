package screen

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
)

func measuring(done time.Duration) run.Progress {
	v := &result.Interval{From: 0, To: 1, Ready: 10, ServerRSS: 1 << 20, ServerCPU: 0.5, ClientCPU: 0.25}
	v.Tally.Received, v.Tally.Broken = 12_345, 3
	v.Tally.Latency.Record(int64(time.Millisecond))
	return run.Progress{Phase: run.Measuring, Done: done, Total: 10 * time.Second, Ready: 10, Of: 10, Interval: v}
}

// Without a terminal: plain lines, at most one per second except for the last.
func TestPlain(t *testing.T) {
	var b bytes.Buffer
	s := New(&b, false)
	at := time.Unix(0, 0)
	s.now = func() time.Time { return at }
	s.Show(run.Progress{Phase: run.Connecting, Ready: 3, Of: 10, Note: "two processes share them"})
	s.Show(measuring(time.Second))
	at = at.Add(500 * time.Millisecond)
	s.Show(measuring(1500 * time.Millisecond)) // too soon
	at = at.Add(500 * time.Millisecond)
	s.Show(measuring(2 * time.Second))
	s.Show(measuring(10 * time.Second))
	s.Close()
	want := "two processes share them\n" +
		"connecting  30% 3 of 10 connections\n" +
		" 10% 1s  12.3 k/s  p50 1.00 ms  p99 1.00 ms  server 0.50 cores 1 MiB  client 0.25 cores  3 errors\n" +
		" 20% 2s  12.3 k/s  p50 1.00 ms  p99 1.00 ms  server 0.50 cores 1 MiB  client 0.25 cores  3 errors\n" +
		"100% 10s  12.3 k/s  p50 1.00 ms  p99 1.00 ms  server 0.50 cores 1 MiB  client 0.25 cores  3 errors\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

// On a terminal: one line, drawn again, and gone in the end.
func TestTerminal(t *testing.T) {
	var b bytes.Buffer
	s := New(&b, true)
	s.terminal = true
	s.Show(measuring(5 * time.Second))
	s.Show(measuring(10 * time.Second))
	s.Close()
	got := b.String()
	if strings.Contains(got, "\n") || strings.Count(got, "\r\x1b[K") != 2 || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
	if !strings.Contains(got, "██████████\x1b[2m░░░░░░░░░░\x1b[0m 5s") || !strings.Contains(got, "\x1b[1;31m3 errors\x1b[0m") {
		t.Errorf("%q", got)
	}
}
