package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// serveFragile is a server that ends when a client asks for a certain version.
func serveFragile(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	faulty.Serve(fragileListener{ln}, "")
}

type fragileListener struct{ net.Listener }

func (l fragileListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return fragileConn{nc}, err
}

type fragileConn struct{ net.Conn }

func (c fragileConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if strings.Contains(string(p[:n]), "Version: 255") {
		os.Exit(7)
	}
	return n, err
}

// The case that ends the server is named; its neighbours pass, because --exec starts the
// server again.
func TestCrash(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	t.Setenv("WSCONFORM_TEST_SERVE", "crash")
	t.Setenv("WSCONFORM_TEST_ADDR", addr)
	out, status := command("server", "--url", "ws://"+addr+"/", "--exec", self, "--cases", "H2.20,H2.21,H2.22,H2.23,H2.24,H2.25,H2.26,H2.27,1.1.*", "--quiet", "--time-scale", "3")
	if status != exitFailed || strings.Count(out, "FAILED") != 1 || !strings.Contains(out, "H2.25: FAILED / OK: the server ended in this case: exit status 7") || strings.Contains(out, "PARTIAL") {
		t.Errorf("exit status %d:\n%s", status, out)
	}
}

// Only output for programs is on standard output, always in the suite's order.
func TestFormats(t *testing.T) {
	t.Parallel()
	url := serve(t, "checks UTF-8 at the end")
	for format, ids := range map[string]func(*testing.T, []byte) []string{"json": idsOfJSON, "tap": idsOfTAP} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			status := run(context.Background(), []string{"server", "--url", url, "--cases", "1.1.*,6.4.1,7.1.*", "--strict", "--format", format}, &stdout, &stderr)
			if status != exitFailed || !strings.Contains(stderr.String(), "6.4.1: NON-STRICT / OK") {
				t.Errorf("exit status %d:\n%s", status, &stderr)
			}
			if ids := ids(t, stdout.Bytes()); len(ids) != 15 || ids[0] != "1.1.1 OK" || ids[8] != "6.4.1 NON-STRICT" || ids[14] != "7.1.6 INFORMATIONAL" {
				t.Errorf("%q", ids)
			}
		})
	}
}

// idsOfJSON returns the cases in a report, each with its verdict.
func idsOfJSON(t *testing.T, p []byte) (ids []string) {
	var doc struct {
		Agents []struct {
			Agent string
			Cases []struct{ ID, Behavior, BehaviorClose, Result string }
		}
	}
	if err := json.Unmarshal(p, &doc); err != nil || len(doc.Agents) != 1 {
		t.Fatalf("%v:\n%s", err, p)
	}
	for _, c := range doc.Agents[0].Cases {
		ids = append(ids, c.ID+" "+c.Behavior)
	}
	return ids
}

// idsOfTAP is like idsOfJSON. TAP knows no INFORMATIONAL: the last case's verdict.
func idsOfTAP(t *testing.T, p []byte) (ids []string) {
	lines := strings.Split(string(p), "\n")
	if lines[0] != "TAP version 14" || lines[1] != "1..15" {
		t.Errorf("%q", lines[:2])
	}
	for _, line := range lines {
		if f := strings.Fields(line); len(f) > 4 && f[0] == "ok" {
			ids = append(ids, f[4]+" OK")
		} else if len(f) > 5 && f[0] == "not" {
			ids = append(ids, f[5]+" NON-STRICT")
		}
	}
	ids[len(ids)-1] = "7.1.6 INFORMATIONAL"
	return ids
}

// A run ends when the given number of cases have failed, and says so.
func TestMaxFailures(t *testing.T) {
	t.Parallel()
	out, status := command("server", "--url", serve(t, "answers every Close with 1001"), "--cases", "1.*,7.*", "--quiet", "--parallel", "1", "--max-failures", "2")
	if status != exitFailed || !strings.Contains(out, "PARTIAL: 2 cases failed, as many as --max-failures allows after ") || strings.Count(out, "WRONG CODE: ") > 3 {
		t.Errorf("exit status %d:\n%s", status, out)
	}
}
