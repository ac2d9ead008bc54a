package autobahn_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// quick are the options under which a defect is looked for: a thousand messages
// are a few, and no case waits for minutes.
func quick() *autobahn.Options {
	return &autobahn.Options{Timeout: 12 * time.Second, Messages: 4, Parallel: 64}
}

// light are the cases, without those that only move much data.
func light(t *testing.T, role autobahn.Role) []*autobahn.Case {
	t.Helper()
	all, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		t.Fatal(err)
	}
	list, err := autobahn.Select(all, role, nil, []string{"9.*", "12.*", "13.*", "D4.2", "D4.3"})
	if err != nil {
		t.Fatal(err)
	}
	some, err := autobahn.Select(all, role, []string{"9.1.2", "9.2.1", "9.3.5", "9.5.3", "9.7.2", "12.*.3", "12.*.5", "13.*.3", "13.*.5", "13.*.11"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(list, some...)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func testFaultyServer(t *testing.T, cases []*autobahn.Case, defect string) []*autobahn.Result {
	ln := listen(t)
	done := make(chan struct{})
	go func() { faulty.Serve(ln, defect); close(done) }()
	target, err := autobahn.ParseTarget("ws://" + ln.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	results := autobahn.TestServer(context.Background(), target, cases, quick())
	ln.Close()
	return results
}

func testFaultyClient(t *testing.T, cases []*autobahn.Case, defect string) []*autobahn.Result {
	ln := listen(t)
	tester := &autobahn.ClientTester{Cases: cases, Options: quick()}
	go tester.Serve(ln)
	faulty.Play(ln.Addr().String(), "faulty", defect, len(cases), 64)
	ln.Close()
	tester.Close()
	return tester.Results("faulty")
}

// TestDefects runs every case against every endpoint with a defect. The cases
// that are about the defect must find it, and the others must not.
func TestDefects(t *testing.T) {
	for _, side := range []struct {
		name    string
		role    autobahn.Role
		defects []faulty.Defect
		run     func(*testing.T, []*autobahn.Case, string) []*autobahn.Result
	}{
		{"server", autobahn.Server, faulty.Servers, testFaultyServer},
		{"client", autobahn.Client, faulty.Clients, testFaultyClient},
	} {
		cases := light(t, side.role)
		defects := append([]faulty.Defect{{Name: "none"}}, side.defects...)
		for _, d := range defects {
			t.Run(side.name+" "+d.Name, func(t *testing.T) {
				t.Parallel()
				checkDefect(t, d, cases, side.run(t, cases, d.Name))
			})
		}
	}
}

func checkDefect(t *testing.T, d faulty.Defect, cases []*autobahn.Case, results []*autobahn.Result) {
	t.Helper()
	if len(results) != len(cases) {
		t.Fatalf("%d results of %d cases", len(results), len(cases))
	}
	var caught []string
	for _, r := range results {
		found := !r.Passes(true)
		should := slices.ContainsFunc(d.Caught, func(p string) bool { return autobahn.Match(p, r.Case.ID) })
		if found {
			caught = append(caught, r.Case.ID)
		}
		if found != should {
			t.Errorf("%s: found %v, want %v: %s/%s: %s; %s %s", r.Case.ID, found, should, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose, r.Ending.Violation)
		}
	}
	if t.Failed() {
		t.Logf("DEFECT %s found by %q", t.Name(), shorten(caught, cases))
	}
}

// shorten writes ids as patterns, where all that match are there.
func shorten(ids []string, cases []*autobahn.Case) []string {
	count := func(prefix string, all bool) (n int) {
		for _, c := range cases {
			if strings.HasPrefix(c.ID, prefix) && (all || slices.Contains(ids, c.ID)) {
				n++
			}
		}
		return n
	}
	var short []string
	for _, id := range ids {
		pattern := id
		for i := strings.LastIndexByte(id, '.'); i > 0; i = strings.LastIndexByte(id[:i], '.') {
			if count(id[:i+1], true) == count(id[:i+1], false) && count(id[:i+1], true) > 1 {
				pattern = id[:i+1] + "*"
			}
		}
		if !slices.Contains(short, pattern) {
			short = append(short, pattern)
		}
	}
	return short
}
