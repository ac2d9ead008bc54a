package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/terminal/terminaltest"
)

// Text from a hostile server has no effect on a terminal or in a file.
func TestHostileServer(t *testing.T) {
	for name, answer := range terminaltest.Answers {
		t.Run(name, func(t *testing.T) {
			url, dir := terminaltest.Serve(t, answer), t.TempDir()
			kept := filepath.Join(dir, "run.json")
			var stdout, stderr bytes.Buffer
			program(context.Background(), []string{"echo", "--url", url, "--conns", "1", "--inflight", "1", "--duration", "50ms", "--warmup", "0s", "--timeout", "50ms",
				"--connect-timeout", "5s", "--json", kept, "--html", filepath.Join(dir, "run.html"), "--csv", filepath.Join(dir, "run.csv")}, &stdout, &stderr)
			terminaltest.Check(t, "stdout", stdout.String())
			terminaltest.Check(t, "stderr", stderr.String())
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				b, err := os.ReadFile(filepath.Join(dir, f.Name()))
				if err != nil {
					t.Fatal(err)
				}
				terminaltest.Check(t, f.Name(), string(bytes.ReplaceAll(b, []byte("\t"), nil)))
				if f.Name() == "run.json" && !json.Valid(b) {
					t.Errorf("no JSON: %s", b)
				}
			}
		})
	}
}

func TestHostileWays(t *testing.T) {
	for name, args := range terminaltest.Ways(t) {
		out, ok := bench(t, args[0], args[1:]...)
		if ok {
			t.Errorf("%s: it went well:\n%s", name, out)
		}
		terminaltest.Check(t, name, out)
	}
}
