package drive

import (
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
)

// A real server that stalls for 100 ms in each second, seen by both loops. What
// they must say is computed in package load; here they are only shown, for wall
// time proves nothing on a busy machine.
func TestStallForReal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for name, plan := range map[string]load.Plan{
		"open loop, 2000/s":         {Scenario: load.Echo, Conns: 10, Rate: 2000, Duration: 3 * time.Second},
		"closed loop, 10 in flight": {Scenario: load.Echo, Conns: 10, Inflight: 1, Duration: 3 * time.Second},
	} {
		begin := time.Now()
		s, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
			if at := time.Since(begin) % time.Second; at < 100*time.Millisecond {
				time.Sleep(100*time.Millisecond - at) // the loop stands still
			}
			c.Send(op, p)
		}, server.Config{Loops: 1})
		got := run(t, s, plan, Target{URL: url})
		got.sound(t)
		if plan.Open() && got.Latency.Count() != 6000 {
			t.Errorf("%d of 6000 messages that were due have a latency", got.Latency.Count())
		}
		h := &got.Latency
		t.Logf("%s: %d messages, p50 %v, p90 %v, p99 %v, p99.9 %v, max %v", name, h.Count(), h.Percentile(50), h.Percentile(90), h.Percentile(99), h.Percentile(99.9), h.Max())
	}
}
