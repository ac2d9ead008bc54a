package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/connect/connecttest"
)

func TestConnecting(t *testing.T) {
	connecttest.Programs(t, func(t *testing.T, url string, flags ...string) (string, bool) {
		dir := t.TempDir()
		out, status := command(append([]string{"server", "--url", url, "--cases", "1.1.1", "--out", dir, "--junit", filepath.Join(dir, "j.xml"), "--quiet"}, flags...)...)
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || status == exitPassed && len(files) < 4 {
			t.Errorf("reports %q, %v", files, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			connecttest.CheckSecrets(t, filepath.Base(file), string(b))
		}
		return out, status == exitPassed
	})
}

// A field of the command line replaces the tester's own.
func TestHeaderReplaces(t *testing.T) {
	s := connecttest.Serve(t, nil)
	out, status := command("server", "--url", "ws://"+s.Addr+"/", "--cases", "1.1.1", "--quiet",
		"--header", "User-Agent: a", "--header", "user-agent: b", "--header", "X: c", "--header", "X: d")
	if status != exitPassed {
		t.Fatal(out)
	}
	h := s.Request().Header
	if got := strings.Join(h["User-Agent"], " ") + strings.Join(h["X"], " "); got != "a bc d" {
		t.Errorf("the server saw %v", h)
	}
}

// A server that accepts and says nothing of TLS does not hold the run.
func TestSilentServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, status := command("server", "--url", "wss://"+ln.Addr().String()+"/", "--cases", "1.1.1", "--quiet", "--time-scale", "0.01")
	if status != exitCannot || !strings.Contains(out, "no connection within 100ms") {
		t.Errorf("status %d:\n%s", status, out)
	}
}
