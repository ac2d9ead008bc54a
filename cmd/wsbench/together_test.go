package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// Scenarios that are joined by + run at the same time, each with a report and files of its
// own.
func TestTogether(t *testing.T) {
	_, url := serve(t, nil)
	dir := t.TempDir()
	run := func(name, flags string) []string {
		return append(strings.Fields(flags), "--url", url, "--warmup", "0s", "--duration", "300ms", "--quiet", "--json", filepath.Join(dir, name))
	}
	args := append(run("a", "echo --conns 3 --rate 100"), append([]string{"+"}, run("b", "echo --conns 5 --rate 200 --threshold rate<1")...)...)
	status, out, errs := wsbench(t, args...)
	if status != exitThreshold || !strings.Contains(out, "3 of 3") || !strings.Contains(out, "5 of 5") || !strings.Contains(errs, "rate<1") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	a, err1 := result.Load(filepath.Join(dir, "a"))
	b, err2 := result.Load(filepath.Join(dir, "b"))
	if err1 != nil || err2 != nil || a.Total.Sent != 30 || b.Total.Sent != 60 || a.Plan.RoomName == b.Plan.RoomName {
		t.Errorf("%v, %v: %+v, %+v", err1, err2, a, b)
	}
}

// If one cannot be done, the others end.
func TestTogetherOneFails(t *testing.T) {
	_, url := serve(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	status, out, errs := wsbench(t, "echo", "--url", url, "--rate", "10", "--duration", "1h", "--quiet", "+", "echo", "--url", "ws://"+ln.Addr().String(), "--rate", "10", "--quiet")
	if status != exitNoRun || !strings.Contains(errs, "connection refused") || strings.Contains(errs, "at the same time") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	for _, args := range []string{"echo --url ws://h/ --rate 1 +", "+ echo --url ws://h/ --rate 1", "echo --url ws://h/ --rate 1 + diff", "echo --url ws://h/ --rate 1 --output json + echo --url ws://h/ --rate 1"} {
		if status, _, errs := wsbench(t, strings.Fields(args)...); status != exitUsage {
			t.Errorf("%s: status %d, %s", args, status, errs)
		}
	}
}
