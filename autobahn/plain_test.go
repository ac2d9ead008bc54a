package autobahn_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// Permitted behaviour fails no case of our own, and is NON-STRICT only in the cases
// that are about it.
func TestDifferent(t *testing.T) {
	for _, side := range []struct {
		name      string
		role      autobahn.Role
		run       player
		different []faulty.Defect
	}{
		{"server", autobahn.Server, testFaultyServer, slices.Concat(faulty.Different, faulty.DifferentServers)},
		{"client", autobahn.Client, testFaultyClient, faulty.Different},
	} {
		cases := slices.DeleteFunc(light(t, side.role), func(c *autobahn.Case) bool { return !c.Own() })
		for _, d := range side.different {
			t.Run(side.name+" "+d.Name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					for _, r := range checkDefect(t, d, cases, side.run) {
						if !r.Passes(false) {
							t.Errorf("%s: %s/%s: %s", r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason)
						}
					}
				})
			})
		}
	}
}

// An endpoint without compression fails no case for that: those that need it are
// UNIMPLEMENTED, all others OK.
func TestNoCompression(t *testing.T) {
	for _, side := range []struct {
		name string
		role autobahn.Role
		run  player
	}{
		{"server", autobahn.Server, testFaultyServer},
		{"client", autobahn.Client, testFaultyClient},
	} {
		var cases []*autobahn.Case
		for _, c := range light(t, side.role) {
			if c.Deflate != nil {
				cases = append(cases, c)
			}
		}
		unimplemented := 0
		var results []*autobahn.Result
		synctest.Test(t, func(t *testing.T) { results = side.run(t, cases, faulty.NoCompression, quick()) })
		for _, r := range results {
			want := autobahn.Unimplemented
			if autobahn.Match("N1.*", r.Case.ID) {
				want = autobahn.OK // the offer must be declined
			}
			if r.Behavior != want || r.BehaviorClose != autobahn.OK {
				t.Errorf("%s: %s: %s/%s: %s; %s", side.name, r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose)
			}
			if want == autobahn.Unimplemented {
				unimplemented++
			}
		}
		if unimplemented == 0 {
			t.Errorf("%s: %d cases, and none is UNIMPLEMENTED", side.name, len(cases))
		}
	}
}
