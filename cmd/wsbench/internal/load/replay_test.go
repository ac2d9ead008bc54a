package load

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/recording"
)

// recorded is the traffic of two connections: a question that is answered, then one that is
// not, and a greeting.
const recorded = `{"at":0,"conn":"a","sent":"q1"}
{"at":0.1,"conn":"a","received":"a1"}
{"at":0.5,"conn":"a","sent":"q2"}
{"at":0.25,"conn":"b","sent":"hi"}
{"at":0.3,"conn":"b","received":"ho"}
{"at":0.8,"conn":"b","received":"news"}
`

func replay(t *testing.T, speed float64, spread time.Duration) (s *simulation, said map[uint32][]string) {
	t.Helper()
	r, err := recording.Parse([]byte(recorded))
	if err != nil {
		t.Fatal(err)
	}
	length := time.Duration(float64(r.Length)/speed) + spread + time.Millisecond
	s = simulate(t, Plan{Scenario: Replay, Conns: 4, Recording: r, Speed: speed, Spread: spread, Duration: length}, 2)
	said = map[uint32][]string{}
	var begin int64
	s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) {
		if begin == 0 {
			begin = s.now
		}
		said[from.ID] = append(said[from.ID], fmt.Sprintf("%s at %v", p, time.Duration(s.now-begin)))
		arrive(from, p)
	}
	return s, said
}

// What was recorded is sent again when it was, by each connection for itself, and the
// latency is that of the messages which were answered.
func TestReplay(t *testing.T) {
	s, said := replay(t, 1, 0)
	got := s.measure()
	for id, want := range [][]string{{"q1 at 0s", "q2 at 500ms"}, {"hi at 250ms"}, {"q1 at 0s", "q2 at 500ms"}, {"hi at 250ms"}} {
		if !slices.Equal(said[uint32(id)], want) {
			t.Errorf("connection %d says %q, want %q", id, said[uint32(id)], want)
		}
	}
	if got.Sent != 6 || got.Received != 6 || got.Latency.Count() != 4 || got.Late.Count() != 6 || got.Postponed != 0 {
		t.Errorf("%d sent, %d received, %d answered, %d may be late, %d postponed", got.Sent, got.Received, got.Latency.Count(), got.Late.Count(), got.Postponed)
	}
	near(t, "latency", got.Latency.Max(), time.Millisecond)
	near(t, "lateness", got.Late.Max(), 0)
	if faults, _ := s.load.Finish(nil); faults.Total() != 0 {
		t.Errorf("faults: %v", faults)
	}
}

// Twice as fast, and not all at once.
func TestReplaySpeedAndSpread(t *testing.T) {
	s, said := replay(t, 2, 80*time.Millisecond)
	s.measure()
	for id, want := range [][]string{{"q1 at 0s", "q2 at 250ms"}, {"hi at 145ms"}, {"q1 at 40ms", "q2 at 290ms"}, {"hi at 185ms"}} {
		if !slices.Equal(said[uint32(id)], want) {
			t.Errorf("connection %d says %q, want %q", id, said[uint32(id)], want)
		}
	}
}

// A question that was answered when it was recorded, and is not now, has lost its answer.
func TestReplayUnanswered(t *testing.T) {
	s, _ := replay(t, 1, 0)
	s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) {
		if string(p) != "q1" {
			arrive(from, p)
		}
	}
	s.measure()
	faults, _ := s.load.Finish(nil)
	// The answer to q2, which has none in the recording, counts as the answer to q1.
	if faults.Total() != 0 {
		t.Errorf("faults: %v", faults)
	}
	s, _ = replay(t, 1, 0)
	s.deliver = func(from *Member, p []byte, arrive func(*Member, []byte)) {}
	s.measure()
	if n := s.load.Outstanding(nil); n != 4 {
		t.Errorf("%d answers are outstanding, want 4", n)
	}
	faults, _ = s.load.Finish(nil)
	if faults.Count[Lost] != 4 {
		t.Errorf("faults: %v, want 4 lost", faults)
	}
}

// Due messages on a connection that broke are counted.
func TestReplayBroken(t *testing.T) {
	s, _ := replay(t, 1, 0)
	s.connect()
	s.at(s.now+int64(300*time.Millisecond), func() {
		m := s.load.Members()[0]
		s.now++
		m.Shard.Closed(m, 1006, "", false, nil)
	})
	got := s.measureConnected()
	if got.Postponed != 1 || got.Broken != 1 || got.Sent != 5 {
		t.Errorf("%d postponed, %d broken, %d sent", got.Postponed, got.Broken, got.Sent)
	}
}
