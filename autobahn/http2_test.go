package autobahn_test

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// overHTTP2 are the cases that are played over HTTP/2.
func overHTTP2(t *testing.T, role autobahn.Role) []*autobahn.Case {
	t.Helper()
	all, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		t.Fatal(err)
	}
	list, err := autobahn.Select(all, role, []string{"http2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func testHTTP2Server(t *testing.T, cases []*autobahn.Case, defect string, opt *autobahn.Options) []*autobahn.Result {
	return testServing(t, faulty.ServeHTTP2, cases, defect, opt)
}

func testHTTP2Client(t *testing.T, cases []*autobahn.Case, defect string, opt *autobahn.Options) []*autobahn.Result {
	numbers := make([]int, len(cases))
	for i := range numbers {
		numbers[i] = i + 1
	}
	return testPlaying(&autobahn.ClientTester{Cases: cases, Options: opt, HTTP2: true}, func(dial func() (net.Conn, error)) {
		faulty.PlayHTTP2(dial, "faulty", defect, numbers, opt.Parallel)
	})
}

// Permitted behaviour over HTTP/2 fails no case.
func TestHTTP2Different(t *testing.T) {
	for _, side := range []struct {
		name string
		role autobahn.Role
		run  player
	}{
		{"server", autobahn.Server, testHTTP2Server},
		{"client", autobahn.Client, testHTTP2Client},
	} {
		cases := overHTTP2(t, side.role)
		for _, d := range faulty.DifferentTunnels {
			t.Run(side.name+" "+d.Name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { checkDefect(t, d, cases, side.run) })
			})
		}
	}
}

// An endpoint without compression fails no case for that.
func TestHTTP2NoCompression(t *testing.T) {
	cases := overHTTP2(t, autobahn.Server)
	var results []*autobahn.Result
	synctest.Test(t, func(t *testing.T) { results = testHTTP2Server(t, cases, faulty.NoCompression, quick()) })
	for _, r := range results {
		if !r.Passes(false) || r.Behavior == autobahn.Unimplemented && r.Case.Deflate == nil && !autobahn.Match("T7", r.Case.ID) {
			t.Errorf("%s: %s / %s: %s; %s", r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose)
		}
	}
}

// For a client that uses HTTP/1.1, the cases over HTTP/2 are UNIMPLEMENTED.
func TestHTTP2ClientOverTCP(t *testing.T) {
	cases := overHTTP2(t, autobahn.Client)
	var results []*autobahn.Result
	synctest.Test(t, func(t *testing.T) { results = testFaultyClient(t, cases, "", quick()) })
	if len(results) != len(cases) {
		t.Errorf("%d results of %d cases", len(results), len(cases))
	}
	for _, r := range results {
		if r.Behavior != autobahn.Unimplemented || r.BehaviorClose != autobahn.OK {
			t.Errorf("%s: %s / %s: %s; %s", r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose)
		}
	}
}

// TestHTTP2Defects is TestDefects for the cases over HTTP/2, and the endpoints there.
func TestHTTP2Defects(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred endpoints")
	}
	for _, side := range []struct {
		name    string
		role    autobahn.Role
		defects []faulty.Defect
		run     player
	}{
		{"server", autobahn.Server, faulty.HTTP2Servers, testHTTP2Server},
		{"client", autobahn.Client, faulty.HTTP2Clients, testHTTP2Client},
	} {
		cases := overHTTP2(t, side.role)
		found := map[string]bool{}
		for _, d := range append([]faulty.Defect{{}}, side.defects...) {
			for _, c := range cases {
				if slices.ContainsFunc(d.Caught, func(p string) bool { return autobahn.Match(p, c.ID) }) {
					found[c.ID] = true
				}
			}
			t.Run(side.name+" "+d.Name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { checkDefect(t, d, cases, side.run) })
			})
		}
		for _, c := range cases {
			if !found[c.ID] {
				t.Errorf("%s: no endpoint of the %ss is found by it", c.ID, side.name)
			}
		}
	}
}
