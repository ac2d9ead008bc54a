//go:build faults

package bolt

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// figureUsers is the number of users, or USERS. Each is a member of ten of 10,000 rooms.
var figureUsers = 100_000

// TestFaultMemberFigures prints what memberships and sessions cost: CPU for all work on them,
// on disk, and at start.
func TestFaultMemberFigures(t *testing.T) {
	fmt.Sscan(os.Getenv("USERS"), &figureUsers)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	s := mustOpen(t, dir)
	s.db.NoSync = true
	ctx, cancel := context.WithTimeout(bg, time.Hour) // as long as those of the hub, because length costs something
	defer cancel()
	user := func(i int) string { return fmt.Sprintf("u_%016x", uint64(i)*0x9E3779B97F4A7C15) }
	last := int64(0)
	measure := func(what string, n int, f func(i int)) {
		began, used := time.Now(), cpu()
		for i := range n {
			f(i)
		}
		took := time.Since(began)
		awaitCheckpoint(t, s)
		s.commits.flush()
		awaitCheckpoint(t, s)
		size := s.size(t)
		t.Logf("%s: %v until the answer, %v of CPU with what is done later, %d bytes on disk", what, took/time.Duration(n), (cpu()-used)/time.Duration(n), (size-last)/int64(n))
		last = size
	}
	last = s.size(t)
	measure("Join", 10*figureUsers, func(i int) {
		if _, err := s.members.Join(ctx, fmt.Sprint("room-", r.IntN(figureRooms)), user(i/10)); err != nil {
			t.Fatal(err)
		}
	})
	measure("Join of a member", figureUsers, func(i int) { s.members.Join(ctx, "room-1", user(1)) })
	measure("RoomsOf(10)", figureUsers, func(int) {
		if rooms, _, err := s.members.RoomsOf(ctx, user(r.IntN(figureUsers)), "", 100); len(rooms) < 5 || err != nil {
			t.Fatal(len(rooms), err)
		}
	})
	measure("MembersOf(100)", figureUsers/10, func(int) {
		s.members.MembersOf(ctx, fmt.Sprint("room-", r.IntN(figureRooms)), "", 100)
	})
	measure("Begin", figureUsers, func(i int) {
		one := chat.Session{ID: fmt.Sprintf("%026x", r.Uint64()), UserID: user(i), Features: []string{"ack", "presence", "typing"},
			From: chat.Origin{Address: "203.0.113.77", Device: "Firefox on Linux"}, Began: time.Now().UnixMilli(), Expires: time.Now().UnixMilli() + 1e7}
		if err := s.sessions.Begin(ctx, one); err != nil {
			t.Fatal(err)
		}
	})
	d := s.figures.checkpoints.Data()
	t.Logf("%.0f ms for a checkpoint, and %.0f ms as the longest of nine in ten", 1000*d.Sum/float64(d.Count), 1000*quantile(d, 0.9))
	s.db.NoSync = false
	s.db.Sync()
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	began, used := time.Now(), cpu()
	s = mustOpen(t, dir)
	opened := time.Since(began)
	s.filters.Wait()
	t.Logf("opened in %v, and %v of CPU until all was read", opened.Round(time.Millisecond), (cpu() - used).Round(time.Millisecond))
}

// size is how many bytes of the file are in use.
func (s *Store) size(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	st := s.db.Stats()
	return info.Size() - int64(st.FreePageN+st.PendingPageN)*int64(os.Getpagesize())
}
