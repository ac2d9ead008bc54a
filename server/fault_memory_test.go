//go:build faults && linux

package server

import (
	"strings"
	"testing"
	"time"
)

// R16: of 10,000 broadcasts of 4 KiB, readers that stopped cost no memory beyond
// their bound, which is the write queue.
func TestFaultR16Resident(t *testing.T) {
	const n, batch, stopped = 10_000, 50, 10
	s := spawnServer(t, limits{Loops: 1, WriteQueue: 1 << 20, PingInterval: Off})
	healthy := (&testServer{addr: s.addr}).dial(t, "/fanout")
	text := strings.Repeat("b", 4<<10)
	broadcast := func() (most int64) {
		for sent := 0; sent < n; {
			for range batch {
				most = max(most, s.tell(t, text).Resident)
				sent++
			}
			for range batch {
				healthy.expect("text 4096 bytes")
			}
		}
		return most
	}
	s.settled(t, 1)
	before := broadcast()
	for range stopped {
		(&testServer{addr: s.addr}).dial(t, "/fanout")
	}
	s.settled(t, 1+stopped)
	most := broadcast()
	a := s.tell(t, "")
	t.Logf("resident at most %.1f MiB in %d broadcasts to one who reads, %.1f MiB with %d beside who do not; %d of those cut, %d bytes still wait",
		float64(before)/(1<<20), n, float64(most)/(1<<20), stopped, a.Stats.Evicted, a.Stats.Queued)
	if a.Stats.Ended.QueueFull != stopped || a.Stats.Queued > stopped*8<<10 {
		t.Errorf("%+v; want all %d cut", a.Stats.Ended, stopped)
	}
	if most-before > stopped<<20+4<<20 {
		t.Error("want at most 1 MiB for each, and 4 for the rest")
	}
}

// R25: what an idle connection costs, and what collecting garbage does with many.
func TestFaultR25Idle(t *testing.T) {
	const few, many = 3000, 15_000
	s := spawnServer(t, limits{PingInterval: Off})
	empty := s.tell(t, "")
	_, _ = massOf(t, s.addr, "/", few)
	s.settled(t, few)
	time.Sleep(3 * time.Second) // what net/http leaves behind is released a second after a burst
	before := s.tell(t, "")
	_, _ = massOf(t, s.addr, "/", many-few)
	s.settled(t, many)
	time.Sleep(3 * time.Second)
	after := s.tell(t, "")
	each := (after.Resident - before.Resident) / (many - few)
	collected := s.tell(t, "collect")
	t.Logf("resident %.1f MiB empty, %.1f MiB with %d connections, %.1f MiB with %d: %d bytes each; %d collections with a median pause of %v, the longest %v; %d goroutines",
		float64(empty.Resident)/(1<<20), float64(before.Resident)/(1<<20), few, float64(after.Resident)/(1<<20), many, each,
		collected.Collections, collected.Pauses[0], collected.Pauses[1], after.Goroutines)
	if each > 1024 {
		t.Error("want at most 1 KiB for each")
	}
	if collected.Pauses[0] > 5*time.Millisecond { // the longest tells of the machine
		t.Error("want a median pause under 5 ms")
	}
}
