package autobahn_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// quick are the options for finding a defect: a few messages stand for a thousand, and no
// case waits for minutes.
func quick() *autobahn.Options {
	return &autobahn.Options{Timeout: 12 * time.Second, Messages: 4, Parallel: 64}
}

// light are the cases except those that only move much data.
func light(t *testing.T, role autobahn.Role) []*autobahn.Case {
	t.Helper()
	all, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		t.Fatal(err)
	}
	list, err := autobahn.Select(all, role, nil, []string{"9.*", "12.*", "13.*", "D4.2", "D4.3", "B1.2"})
	if err != nil {
		t.Fatal(err)
	}
	some, err := autobahn.Select(all, role, []string{"9.1.2", "9.2.1", "9.3.5", "9.5.3", "9.7.2", "12.*.3", "12.*.5", "13.*.3", "13.*.5", "13.*.11"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(list, some...)
}

func testFaultyServer(t *testing.T, cases []*autobahn.Case, defect string, opt *autobahn.Options) []*autobahn.Result {
	return testServing(t, faulty.Serve, cases, defect, opt)
}

// testServing runs cases against a server with a defect.
func testServing(t *testing.T, serve func(net.Listener, string), cases []*autobahn.Case, defect string, opt *autobahn.Options) []*autobahn.Result {
	network := newMemnet()
	done := make(chan struct{})
	go func() { serve(network, defect); close(done) }()
	target, err := autobahn.ParseTarget("ws://127.0.0.1:9001/")
	if err != nil {
		t.Fatal(err)
	}
	target.DialContext = network.DialContext
	results := autobahn.TestServer(context.Background(), target, cases, opt)
	network.Close()
	<-done
	return results
}

func testFaultyClient(t *testing.T, cases []*autobahn.Case, defect string, opt *autobahn.Options) []*autobahn.Result {
	return testPlaying(&autobahn.ClientTester{Cases: cases, Options: opt}, func(dial func() (net.Conn, error)) {
		faulty.Play(dial, "faulty", defect, 0, opt.Parallel)
	})
}

// testPlaying returns a tester's results for the client that play runs.
func testPlaying(tester *autobahn.ClientTester, play func(dial func() (net.Conn, error))) []*autobahn.Result {
	network := newMemnet()
	done := make(chan struct{})
	go func() { tester.Serve(network); close(done) }()
	play(network.dial)
	// The client may be done before the tester has seen how it ended.
	for range 1000 {
		if tester.Missing("faulty") == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	network.Close()
	tester.Close()
	<-done
	return tester.Results("faulty")
}

// TestDefects runs every case against every endpoint with a defect. The cases that
// are about the defect must find it, and the others must not. Time is the synctest
// bubble's: a case that waits for a second takes no real time, and a busy machine changes
// no verdict.
func TestDefects(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred endpoints take a minute")
	}
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
		for _, d := range append([]faulty.Defect{{}}, side.defects...) {
			t.Run(side.name+" "+d.Name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { checkDefect(t, d, cases, side.run) })
			})
		}
	}
}

type player func(*testing.T, []*autobahn.Case, string, *autobahn.Options) []*autobahn.Result

// fewConnections is how many connections a case with many opens if it is not about the
// defect.
const fewConnections = 4

// costly are cases that move much data. They are played only if they are about the
// defect.
var costly = []string{"B1.*", "B2.*", "G3.*", "G4.*", "R2.*", "R3.*", "U2.*", "U3.*"}

func checkDefect(t *testing.T, d faulty.Defect, cases []*autobahn.Case, run player) []*autobahn.Result {
	about := func(c *autobahn.Case) bool {
		return d.Name == "" || slices.ContainsFunc(d.Caught, func(p string) bool { return autobahn.Match(p, c.ID) })
	}
	var mine, others []*autobahn.Case
	for _, c := range cases {
		if about(c) {
			mine = append(mine, c)
		} else if !slices.ContainsFunc(costly, func(p string) bool { return autobahn.Match(p, c.ID) }) {
			others = append(others, c)
		}
	}
	cases = slices.Concat(mine, others)
	results := run(t, mine, d.Name, quick())
	few := quick()
	few.Connections = fewConnections
	results = append(results, run(t, others, d.Name, few)...)
	if len(results) != len(cases) {
		t.Fatalf("%d results of %d cases", len(results), len(cases))
	}
	var caught []string
	for _, r := range results {
		if should := d.Name != "" && about(r.Case); should == r.Passes(true) {
			t.Errorf("%s: %s/%s: %s; %s %s", r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose, r.Ending.Violation)
		}
		if !r.Passes(true) {
			caught = append(caught, r.Case.ID)
		}
	}
	if t.Failed() {
		t.Logf("found by %q", shorten(caught, cases))
	}
	return results
}

// shorten writes ids as patterns if all cases that match are among them.
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
