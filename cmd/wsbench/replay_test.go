package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
)

// A recording is sent again, by several processes, and its messages are in no result.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	recorded := `{"at":5,"conn":"a","sent":"what is said in confidence"}
{"at":5.01,"conn":"a","received":"yes"}
{"at":5.1,"conn":"a","sent":"AQI=","binary":true}
{"at":5.1,"conn":"b","sent":"mute"}
{"at":5.2,"conn":"b","received":"answered then"}
`
	if err := os.WriteFile(file("recorded"), []byte(recorded), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
		if string(p) != "mute" {
			c.Send(op, p)
		}
	})
	status, out, errs := wsbench(t, "replay", "--url", url+"/", "--conns", "4", "--recording", file("recorded"), "--speed", "2", "--spread", "50ms",
		"--processes", "2", "--timeout", "300ms", "--json", file("r.json"), "--html", file("r.html"), "--quiet")
	if status != exitFailed || !strings.Contains(out, "6 sent, 4 received") || !strings.Contains(out, "5 messages on 2 connections in 200ms") || !strings.Contains(out, "no answer to 1 of its messages") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	r, err := result.Load(file("r.json"))
	if err != nil || r.Faults.Total() != 2 || r.Total.Latency.Count() != 2 {
		t.Errorf("%v: %+v", err, r)
	}
	for _, name := range []string{"r.json", "r.html"} {
		if b, err := os.ReadFile(file(name)); err != nil || strings.Contains(string(b), "confidence") || strings.Contains(string(b), `"AQI="`) {
			t.Errorf("%s has the messages, or is not there: %v", name, err)
		}
	}
	for args, want := range map[string]string{
		"replay":                                           "needs a --recording",
		"replay --recording " + file("none"):               "no such file",
		"replay --recording " + file("r.json"):             "neither",
		"replay --rate 5 --recording " + file("recorded"):  "replay has no rate",
		"replay --speed 0 --recording " + file("recorded"): "--speed is 0",
		"echo --rate 5 --recording " + file("recorded"):    "are for replay",
	} {
		if status, _, errs := wsbench(t, append(strings.Fields(args), "--url", url+"/")...); status != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %q; want %q", args, status, errs, want)
		}
	}
}
