package load

import (
	"math"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// stalling is a server that answers in service, but does nothing at all during
// the first tenth of each second.
func stalling(service time.Duration) func(at int64) int64 {
	return func(at int64) int64 {
		done := at + int64(service)
		if second := at - at%int64(time.Second); at < second+int64(100*time.Millisecond) {
			done = second + int64(100*time.Millisecond+service)
		}
		return done
	}
}

func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	// Three digits are what the histogram keeps.
	if math.Abs(float64(got-want)) > 0.002*float64(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// A server that stalls for 100 ms in each second delays a tenth of the due
// messages, for 0 to 100 ms, evenly. So nine tenths take the service time, and
// the q'th part of all, q > 0.9, takes (q-0.9)/0.1 of 100 ms and the service
// time. That is what the open loop must say, however the stall slowed things
// down.
func TestStallIsSeenByTheOpenLoop(t *testing.T) {
	const service = 200 * time.Microsecond
	s := simulate(t, Plan{Scenario: Echo, Conns: 10, Rate: 10_000, Warmup: time.Second, Duration: 10 * time.Second}, 2)
	s.answer = stalling(service)
	got := s.measure()
	if n := got.Latency.Count(); n != 100_000 || got.Sent != 100_000 {
		t.Fatalf("%d messages were due and measured, want 100000", n)
	}
	for _, p := range []float64{50, 89} {
		near(t, "a fast percentile", got.Latency.Percentile(p), service)
	}
	for _, p := range []float64{95, 99, 99.9, 99.99} {
		want := time.Duration((p/100-0.9)/0.1*float64(100*time.Millisecond)) + service
		near(t, "a slow percentile", got.Latency.Percentile(p), want)
	}
	near(t, "the longest", got.Latency.Max(), 100*time.Millisecond+service)
	if got.Late.Max() != 0 {
		t.Errorf("sent %v late; the clock stood still", got.Late.Max())
	}
}

// The closed loop beside it sends nothing while the server stalls: one message
// per connection in each second sees the stall, one in 4,501, and p99 and even
// p99.9 say that nothing was wrong.
func TestStallIsHiddenByTheClosedLoop(t *testing.T) {
	const service = 200 * time.Microsecond
	s := simulate(t, Plan{Scenario: Echo, Conns: 10, Inflight: 1, Warmup: time.Second, Duration: 10 * time.Second}, 2)
	s.answer = stalling(service)
	got := s.measure()
	for _, p := range []float64{50, 99, 99.9} {
		near(t, "a percentile", got.Latency.Percentile(p), service)
	}
	near(t, "the longest", got.Latency.Max(), 100*time.Millisecond+service)
}

// A sender that is itself held up must say so, and must not take the time off
// the latency.
func TestLateSenderIsCharged(t *testing.T) {
	s := simulate(t, Plan{Scenario: Echo, Conns: 1, Rate: 1000, Duration: time.Second}, 1)
	s.connect()
	s.load.Take()
	begin := s.now
	s.load.Start(begin, 0, 1)
	// The loop does not run for half a second.
	for at := begin + int64(500*time.Millisecond); at < begin+int64(time.Second); at += int64(time.Millisecond) {
		s.at(at, s.load.Shards[0].Tick)
	}
	s.run(begin + int64(2*time.Second))
	s.load.Stop()
	got := s.load.Take()
	if got.Latency.Count() != 1000 {
		t.Fatalf("%d messages, want 1000", got.Latency.Count())
	}
	near(t, "the longest", got.Latency.Max(), 501*time.Millisecond)
	near(t, "the latest", got.Late.Max(), 500*time.Millisecond)
	near(t, "half of them late by", got.Late.Percentile(75), 250*time.Millisecond)
}

// A load that is told to begin later does, in closed loop, too.
func TestBeginsLater(t *testing.T) {
	s := simulate(t, Plan{Scenario: Echo, Conns: 1, Inflight: 1, Duration: time.Second}, 1)
	s.connect()
	begin := s.now + int64(time.Second)
	s.load.Start(begin, 0, 1)
	s.at(begin-1, s.load.Shards[0].Tick)
	s.run(begin - 1)
	if got := s.load.Take(); got.Latency.Count() != 0 || s.load.Outstanding(nil) != 0 {
		t.Error("something was sent before its time")
	}
	s.at(begin, s.load.Shards[0].Tick)
	s.run(begin + int64(time.Second))
	if got := s.load.Take(); got.Latency.Count() != 1000 {
		t.Errorf("%d messages of a millisecond each in a second", got.Latency.Count())
	}
}

// A loop that is busy with answers sends what is due without being called.
func TestAnswersGiveOccasionToSend(t *testing.T) {
	s := simulate(t, Plan{Scenario: Echo, Conns: 1, Rate: 100, Duration: time.Second}, 1)
	s.connect()
	s.load.Take()
	s.answer = func(at int64) int64 { return at + int64(10*time.Millisecond) }
	s.load.Start(s.now, 0, 1)
	s.load.Shards[0].Tick() // the only time
	s.run(s.now + int64(2*time.Second))
	if got := s.load.Take(); got.Sent != 100 || got.Late.Max() > time.Millisecond {
		t.Errorf("%d of 100 were sent, up to %v late", got.Sent, got.Late.Max())
	}
}

// Messages due when the run ends are sent, even if late; those that cannot be
// sent are counted, not dropped.
func TestWhatIsDueAtTheEnd(t *testing.T) {
	for name, broken := range map[string]bool{"connected": false, "broken": true} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, Plan{Scenario: Echo, Conns: 1, Rate: 1000, Duration: time.Second}, 1)
			s.connect()
			s.load.Take()
			s.answer = func(at int64) int64 { return at + int64(time.Second) } // no answer gives occasion to send
			s.load.Start(s.now, 0, 1)
			s.run(s.now + int64(400*time.Millisecond))
			s.load.Shards[0].Tick()
			if broken {
				s.links[s.load.Members()[0]].end(wsproto.CloseGoingAway, false)
			}
			s.run(s.now + int64(700*time.Millisecond))
			s.load.Stop()
			s.run(s.now + int64(2*time.Second))
			got := s.load.Take()
			if broken {
				if got.Sent != 401 || got.Postponed != 599 {
					t.Errorf("%d sent and %d not, want 401 and 599", got.Sent, got.Postponed)
				}
				return
			}
			if got.Sent != 1000 || got.Postponed != 0 || got.Latency.Count() != 1000 {
				t.Errorf("%d sent, %d not, %d latencies", got.Sent, got.Postponed, got.Latency.Count())
			}
			near(t, "the latest", got.Late.Max(), 699*time.Millisecond)
		})
	}
}

func TestSchedules(t *testing.T) {
	a, b := NewSchedule(1000, 1000, 0, 0), NewSchedule(1000, 1000, 0.5, 0)
	for k := range int64(5) {
		if a.Due() != 1000+k*1_000_000 || b.Due() != 1000+k*1_000_000+500_000 {
			t.Errorf("number %d is due at %d and %d", k, a.Due(), b.Due())
		}
		a.Pass()
		b.Pass()
	}
	p, q := NewSchedule(0, 1000, 0, 0).MakeIrregular(1, 2), NewSchedule(0, 1000, 0, 0).MakeIrregular(1, 2)
	var sum, squares float64
	const n = 200_000
	for k, last := 0, int64(0); k < n; k++ {
		if p.Due() != q.Due() {
			t.Fatal("two alike go on differently")
		}
		gap := float64(p.Due() - last)
		last = p.Due()
		sum += gap
		squares += gap * gap
		p.Pass()
		q.Pass()
	}
	mean := sum / n
	if dev := math.Sqrt(squares/n - mean*mean); math.Abs(mean/1e6-1) > 0.02 || math.Abs(dev/1e6-1) > 0.02 {
		t.Errorf("gaps are %.0f ns with deviation %.0f; both should be 1000000", mean, dev)
	}
}
