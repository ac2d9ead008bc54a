package autobahn_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
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

func testFaultyServer(t *testing.T, cases []*autobahn.Case, defect string, opt *autobahn.Options) []*autobahn.Result {
	ln := listen(t)
	done := make(chan struct{})
	go func() { faulty.Serve(ln, defect); close(done) }()
	target, err := autobahn.ParseTarget("ws://" + ln.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	results := autobahn.TestServer(context.Background(), target, cases, opt)
	ln.Close()
	return results
}

func testFaultyClient(t *testing.T, cases []*autobahn.Case, defect string, opt *autobahn.Options) []*autobahn.Result {
	ln := listen(t)
	tester := &autobahn.ClientTester{Cases: cases, Options: opt}
	go tester.Serve(ln)
	faulty.Play(ln.Addr().String(), "faulty", defect, len(cases), opt.Parallel)
	ln.Close()
	tester.Close()
	return tester.Results("faulty")
}

// TestDefects runs every case against every endpoint with a defect. The cases
// that are about the defect must find it, and the others must not. What is not as
// it should be is looked at again with more time, since a machine may be busy.
func TestDefects(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred endpoints take a minute")
	}
	slots := make(chan struct{}, 12)
	for _, side := range []struct {
		name    string
		role    autobahn.Role
		defects []faulty.Defect
		run     player
	}{
		{"server", autobahn.Server, faulty.Servers, testFaultyServer},
		{"client", autobahn.Client, faulty.Clients, testFaultyClient},
	} {
		cases := light(t, side.role)
		var wg sync.WaitGroup
		for _, d := range append([]faulty.Defect{{Name: "none"}}, side.defects...) {
			slots <- struct{}{}
			wg.Go(func() {
				checkDefect(t, side.name, d, cases, side.run)
				<-slots
			})
		}
		wg.Wait()
	}
}

type player func(*testing.T, []*autobahn.Case, string, *autobahn.Options) []*autobahn.Result

func checkDefect(t *testing.T, side string, d faulty.Defect, cases []*autobahn.Case, run player) {
	results := run(t, cases, d.Name, quick())
	if len(results) != len(cases) {
		t.Errorf("%s %q: %d results of %d cases", side, d.Name, len(results), len(cases))
		return
	}
	wrong := func(r *autobahn.Result) bool {
		should := slices.ContainsFunc(d.Caught, func(p string) bool { return autobahn.Match(p, r.Case.ID) })
		return should == r.Passes(true)
	}
	var again []*autobahn.Case
	for _, r := range results {
		if wrong(r) {
			again = append(again, r.Case)
		}
	}
	if len(again) == 0 {
		return
	}
	patient := quick()
	patient.TimeScale, patient.Parallel = 3, 16
	byCase := map[string]*autobahn.Result{}
	for _, r := range run(t, again, d.Name, patient) {
		byCase[r.Case.ID] = r
	}
	var caught []string
	bad := false
	for _, r := range results {
		if second := byCase[r.Case.ID]; second != nil {
			if r = second; wrong(r) {
				bad = true
				t.Errorf("%s %q: %s: %s/%s: %s; %s %s", side, d.Name, r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose, r.Ending.Violation)
			}
		}
		if !r.Passes(true) {
			caught = append(caught, r.Case.ID)
		}
	}
	if bad {
		t.Logf("DEFECT %s %s FOUND %q", side, d.Name, shorten(caught, cases))
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
