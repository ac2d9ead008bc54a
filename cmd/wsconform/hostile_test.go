package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/terminal/terminaltest"
)

// checkReports looks for terminal control sequences in all files of a directory,
// and checks their formats.
func checkReports(t *testing.T, dir string) {
	t.Helper()
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
		switch filepath.Ext(f.Name()) {
		case ".json":
			if !json.Valid(b) {
				t.Errorf("%s is no JSON: %s", f.Name(), b)
			}
		case ".xml":
			for d := xml.NewDecoder(bytes.NewReader(b)); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Errorf("%s: %v", f.Name(), err)
					break
				}
			}
		}
	}
}

// Text from a hostile server has no effect on a terminal or in a report.
func TestHostileServer(t *testing.T) {
	for name, answer := range terminaltest.Answers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var stdout, stderr bytes.Buffer
			run(context.Background(), []string{"server", "--url", terminaltest.Serve(t, answer), "--cases", "1.1.1,2.10,7.1.1,12.1.1,H*.1", "--anyway", "--verbose", "--out", dir,
				"--junit", filepath.Join(dir, "junit.xml"), "--write-baseline", filepath.Join(dir, "baseline.json"), "--time-scale", "0.1"}, &stdout, &stderr)
			if !strings.Contains(stdout.String(), "1.1.1") {
				t.Errorf("nothing was tested:\n%s%s", &stdout, &stderr)
			}
			terminaltest.Check(t, "stdout", stdout.String())
			terminaltest.Check(t, "stderr", stderr.String())
			checkReports(t, dir)
		})
	}
}

// A client chooses the name that it is reported by.
func TestHostileClient(t *testing.T) {
	dir := t.TempDir()
	addr := freeAddr(t)
	var stdout, stderr bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(context.Background(), []string{"client", "--listen", addr, "--once", "--cases", "1.1.1,7.1.1", "--out", dir, "--junit", filepath.Join(dir, "junit.xml"), "--time-scale", "0.1"}, &stdout, &stderr)
	}()
	const agent = "agent=%1b%5b2J%0aall%20%0d%09%c2%9b31m%e2%80%ae%ff"
	for _, path := range []string{"/runCase?case=1&" + agent, "/runCase?case=2&" + agent, "/runCase?case=%1b&" + agent, "/%1b%5b2J", "/updateReports?" + agent} {
		for {
			req := httptest.NewRequest(http.MethodGet, "http://"+addr+path, nil)
			req.RequestURI = ""
			for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
				req.Header.Set(name, value)
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil && strings.Contains(err.Error(), "refused") {
				select {
				case status := <-done:
					t.Fatalf("status %d:\n%s%s", status, &stdout, &stderr)
				default:
					continue // it does not listen yet
				}
			}
			if err == nil {
				if w, ok := resp.Body.(io.Writer); ok {
					io.WriteString(w, "\x81\x85\x00\x00\x00\x00"+"\x1b[2J\xff")
				}
				resp.Body.Close()
			}
			break
		}
	}
	<-done
	if !strings.Contains(stdout.String(), "cases") {
		t.Errorf("nothing was reported:\n%s%s", &stdout, &stderr)
	}
	terminaltest.Check(t, "stdout", stdout.String())
	terminaltest.Check(t, "stderr", stderr.String())
	if strings.Contains(stdout.String(), "\nall \n") {
		t.Errorf("a name makes lines of its own:\n%s", &stdout)
	}
	checkReports(t, dir)
}

func TestHostileWays(t *testing.T) {
	for name, args := range terminaltest.Ways(t) {
		out, status := command(append([]string{"server", "--cases", "1.1.1", "--quiet", "--url"}, args...)...)
		if status != exitCannot {
			t.Errorf("%s: status %d:\n%s", name, status, out)
		}
		terminaltest.Check(t, name, out)
	}
}
