package load

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mistreating is a server that mistreats the n'th message it gets.
func mistreating(n int, how Fault) func(from *Member, p []byte, arrive func(*Member, []byte)) {
	var count int
	var held []byte
	return func(from *Member, p []byte, arrive func(*Member, []byte)) {
		if held != nil && how == Reordered {
			arrive(from, p)
			arrive(from, held)
			held = nil
			return
		}
		if count++; count != n {
			arrive(from, p)
			return
		}
		switch how {
		case Lost:
		case Doubled:
			arrive(from, bytes.Clone(p))
			arrive(from, p)
		case Reordered:
			held = p
		case Corrupted:
			p[len(p)/2] ^= 4
			arrive(from, p)
		case Unsolicited:
			arrive(from, bytes.Clone(p))
			arrive(from, []byte("hello"))
		}
	}
}

// Each fault is counted once, as what it is and nothing else, and named; in
// closed loop with one and with many in flight, and in open loop.
func TestEachFaultIsFound(t *testing.T) {
	for _, how := range FaultKinds {
		for name, plan := range map[string]Plan{
			"closed":  {Scenario: Echo, Conns: 1, Inflight: 1, Duration: 3 * time.Second, Timeout: time.Second},
			"batches": {Scenario: Echo, Conns: 1, Inflight: 16, Duration: 3 * time.Second, Timeout: time.Second},
			"open":    {Scenario: Echo, Conns: 1, Rate: 1000, Duration: 3 * time.Second, Timeout: time.Second},
			"fan-out": {Scenario: Fanout, Conns: 3, Publishers: 1, Self: true, Inflight: 4, Duration: 3 * time.Second, Timeout: time.Second},
		} {
			if how == Reordered && name == "closed" {
				continue // there is never a second message to change places with
			}
			t.Run(string(how)+"/"+name, func(t *testing.T) {
				s := simulate(t, plan, 1)
				s.deliver = mistreating(500, how)
				if plan.Grouped() {
					mine := s.deliver
					s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) {
						for i, m := range s.load.Members() {
							if q := bytes.Clone(p); i == 2 {
								mine(m, q, arrive)
							} else {
								arrive(m, q)
							}
						}
					}
				}
				got := s.measure()
				faults, _ := s.load.Finish(nil)
				if d := cmp.Diff(map[Fault]uint64{how: 1}, faults.Count); d != "" {
					t.Fatalf("counts (-want +got):\n%s\n%v", d, faults.Examples)
				}
				if e := faults.Examples[how]; len(e) != 1 || !strings.Contains(e[0], "connection ") {
					t.Errorf("named %q", e)
				}
				if got.Received < 1500 {
					t.Errorf("only %d messages received: it did not go on", got.Received)
				}
			})
		}
	}
}

func TestSoundServerHasNoFaults(t *testing.T) {
	for _, plan := range []Plan{
		{Scenario: Echo, Conns: 7, Inflight: 3, Duration: time.Second, Binary: true},
		{Scenario: Echo, Conns: 7, Rate: 5000, Poisson: true, Duration: time.Second},
	} {
		s := simulate(t, plan, 3)
		got := s.measure()
		faults, ends := s.load.Finish(nil)
		if faults.Total() != 0 || len(ends) != 0 || got.Sent < 4000 || got.Postponed != 0 {
			t.Errorf("%+v, %v, sent %d", faults, ends, got.Sent)
		}
	}
}

// Each connection's first strange message is named, however many another one had
// before it; those that are not remembered are counted without a name.
func TestStrangeMessagesAreNamed(t *testing.T) {
	s := simulate(t, Plan{Scenario: Echo, Conns: 2, Rate: 1000, Duration: time.Second}, 1)
	noisy, n := s.load.Members()[0], 0
	s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) {
		if n++; n == 900 || from == noisy && n < 100 {
			arrive(from, []byte("tick"))
		}
		arrive(from, p)
	}
	s.measure()
	faults, _ := s.load.Finish(nil)
	got := strings.Join(faults.Examples[Unsolicited], "; ")
	for _, want := range []string{`connection 0: text message "tick", the first of `, `connection 1: text message "tick"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
