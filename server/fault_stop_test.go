//go:build faults && linux

package server

import (
	"testing"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// R24: a graceful stop of 10,000 connections sends each what was queued for it, and
// then 1001, within 10 s, and leaves nothing behind.
func TestFaultR24Stop(t *testing.T) {
	const n = 10_000
	s := spawnServer(t, limits{PingInterval: Off})
	empty := s.tell(t, "")
	m, _ := massOf(t, s.addr, "/fanout", n)
	s.settled(t, n)
	s.tell(t, "the last message") // posted only: it is not waited for
	start := time.Now()
	a := s.tell(t, "stop")
	took := time.Since(start)
	waitFor(t, func() bool { return m.open.Load() == 0 })
	t.Logf("%d connections stopped in %v: %d got the last message, %d got 1001, %d cut; %d goroutines and %d descriptors, %d and %d before the first",
		n, took, m.messages.Load(), m.ended(wsproto.CloseGoingAway), a.Stats.Cut, a.Goroutines, a.Descriptors, empty.Goroutines, empty.Descriptors)
	if m.messages.Load() != n || m.ended(wsproto.CloseGoingAway) != n || a.Stats.Cut != 0 || a.Failed != "" || took > 10*time.Second {
		t.Errorf("want %d everywhere, none cut, within 10 s; %s", n, a.Failed)
	}
	if a.Goroutines > empty.Goroutines || a.Descriptors > empty.Descriptors || a.Stats.Open != 0 || a.Stats.Queued != 0 {
		t.Errorf("something is left behind: %+v", a.Stats)
	}
}
