//go:build linux

package main

import (
	"bufio"
	"context"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/report"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/wsconform/internal/echoclient"
)

var update = flag.Bool("update", false, "write the golden verdicts of our server and our client")

const golden = "../../autobahn/testdata/"

// cases are those that test a role and match the patterns: without any, all over TCP. A thousand messages are twenty here; "make
// conformance" sends them all.
func cases(t *testing.T, role autobahn.Role, patterns ...string) ([]*autobahn.Case, *autobahn.Options) {
	t.Helper()
	all, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		t.Fatal(err)
	}
	list, err := autobahn.Select(all, role, patterns, nil)
	if err != nil {
		t.Fatal(err)
	}
	opt := &autobahn.Options{Messages: 20, TimeScale: 3, Seed: uint64(time.Now().UnixNano())}
	t.Logf("seed %d", opt.Seed)
	return list, opt
}

// lenient are the cases in which our server or client is NON-STRICT because it means to be.
var lenient = []string{
	"B1.4",  // RFC 6455 §5.5.3: of many Pings at once the last may be answered alone
	"B1.5",  // the same
	"H9.13", // the same Sec-WebSocket-Accept twice: RFC 6455 §11.3.3 binds the server
	"T2.14", // no :scheme: net/http does not show it to a handler, and nothing needs it
	"H9.17", // an empty Sec-WebSocket-Protocol: RFC 6455 §4.2.2 binds the server
}

// compare compares verdicts with the golden ones, and checks that those are OK, except for
// cases that are INFORMATIONAL by nature.
func compare(t *testing.T, file string, results []*autobahn.Result) {
	t.Helper()
	got := report.NewBaseline(strings.TrimSuffix(file, ".json"), autobahn.Suite, 0, results)
	if *update {
		if err := outfile.Write(golden+file, got.Write); err != nil {
			t.Fatal(err)
		}
	}
	want, err := report.ReadBaseline(golden + file)
	if err != nil {
		t.Fatal(err)
	}
	n := map[autobahn.Verdict]int{}
	for _, r := range results {
		if slices.Contains(lenient, r.Case.ID) {
			// Whether the Pings arrive at once depends on the machine.
			if got.Verdicts[r.Case.ID][0] == autobahn.OK {
				got.Verdicts[r.Case.ID] = want.Verdicts[r.Case.ID]
			}
			if r.Passes(false) {
				continue
			}
		}
		if !r.Passes(true) {
			t.Errorf("%s: %s / %s: %s; %s", r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose)
		}
		if !r.Case.Own() {
			n[r.Behavior]++
		}
	}
	if diff := cmp.Diff(want.Verdicts, got.Verdicts); diff != "" {
		t.Errorf("verdicts differ from %s (-want +got):\n%s", file, diff)
	}
	if n[autobahn.OK]+n[autobahn.Informational] == 0 {
		return // none of the original's
	}
	if n[autobahn.OK] != 514 || n[autobahn.Informational] != 3 {
		t.Errorf("of the original's cases %d are OK and %d INFORMATIONAL, want 514 and 3", n[autobahn.OK], n[autobahn.Informational])
	}
}

func TestConformanceOfServer(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole suite")
	}
	target, err := autobahn.ParseTarget("ws://" + startEcho(t) + "/")
	if err != nil {
		t.Fatal(err)
	}
	list, opt := cases(t, autobahn.Server)
	compare(t, "hawser-server.json", autobahn.TestServer(context.Background(), target, list, opt))
}

// The blocking driver passes the cases over HTTP/2; what makes it speak that is package
// wsproto/wsconn/enablehttp2.
func TestConformanceOverHTTP2(t *testing.T) {
	if testing.Short() {
		t.Skip("as the other conformance tests")
	}
	target, err := autobahn.ParseTarget("ws://" + startEcho(t, "--blocking") + "/")
	if err != nil {
		t.Fatal(err)
	}
	list, opt := cases(t, autobahn.Server, "http2")
	compare(t, "hawser-http2.json", autobahn.TestServer(context.Background(), target, list, opt))
}

// startEcho builds and starts wsecho, and returns its address.
func startEcho(t *testing.T, flags ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "wsecho")
	build := exec.Command("go", "build", "-o", bin, "../wsecho")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal("building wsecho:", err)
	}
	cmd := exec.Command(bin, append(flags, "--listen", "127.0.0.1:0", "--deflate")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("wsecho:", err)
	}
	m := regexp.MustCompile(`ws://([^/]+)/`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("wsecho says %q", line)
	}
	return m[1]
}

func TestConformanceOfClient(t *testing.T)  { conformanceOfClient(t, false) }
func TestConformanceOfReactor(t *testing.T) { conformanceOfClient(t, true) }

func conformanceOfClient(t *testing.T, reactor bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("the whole suite")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	list, opt := cases(t, autobahn.Client)
	reported := make(chan string, 1)
	tester := &autobahn.ClientTester{Cases: list, Options: opt, Report: func(agent string) { reported <- agent }}
	var wg sync.WaitGroup
	wg.Go(func() { tester.Serve(ln) })
	if err := echoclient.Run(context.Background(), echoclient.Options{URL: "ws://" + ln.Addr().String(), Agent: "hawser", Parallel: 32, Reactor: reactor}); err != nil {
		t.Fatal(err)
	}
	if agent := <-reported; agent != "hawser" {
		t.Errorf("reports were asked for by %q", agent)
	}
	tester.Close()
	ln.Close()
	wg.Wait()
	results := tester.Results("hawser")
	if len(results) != len(list) {
		t.Fatalf("%d results of %d cases", len(results), len(list))
	}
	compare(t, "hawser-client.json", results)
}
