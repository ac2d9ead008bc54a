//go:build faults

package bolt

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hawser-ws/hawser/chat"
)

// figureMessage is one with 128 bytes of content, from a guest as the service makes them.
func figureMessage(r *rand.Rand, full bool) *chat.Message {
	m := &chat.Message{Sender: fmt.Sprintf("u_%016d", r.IntN(1000)), SenderName: "Ada Lovelace", Timestamp: "1754474400.123", Metadata: []byte("{}")}
	content := make([]byte, 128)
	for i := range content {
		content[i] = byte('a' + r.IntN(26))
	}
	m.Content = string(content)
	if full {
		m.Ref = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
		m.Metadata = []byte(`{"client":"web","reply_to":"k7d2m5q9w3xta-1-1","lang":"en"}`)
	}
	return m
}

const figureRooms = 10_000

// figureMessages is how many there are, or MESSAGES.
var figureMessages = 1_000_000

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func figureEntries(r *rand.Rand, n int, full bool) []chat.Entry {
	entries := make([]chat.Entry, n)
	for i := range entries {
		entries[i] = chat.Entry{Conversation: chat.RoomConversation(fmt.Sprint("room-", r.IntN(figureRooms))), Message: figureMessage(r, full)}
	}
	return entries
}

// TestFaultFigures prints what 1,000,000 messages in 10,000 rooms cost: on disk, at start, and
// for later messages. Synced appends depend on the disk.
func TestFaultFigures(t *testing.T) {
	fmt.Sscan(os.Getenv("MESSAGES"), &figureMessages)
	for _, full := range []bool{false, true} {
		dir := t.TempDir()
		r := rand.New(rand.NewPCG(1, 2))
		s := mustOpen(t, dir)
		s.db.NoSync = true
		used := cpu()
		for range figureMessages / 1000 {
			if err := commit(s, figureEntries(r, 1000, full)); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("with ref and metadata: %t", full)
		t.Logf("  %v of CPU for each message, in batches of 1,000 without sync", (cpu()-used)/time.Duration(figureMessages))
		s.db.NoSync = false
		s.db.Sync()
		if err := s.Close(bg); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("  %d bytes on disk for each message", info.Size()/int64(figureMessages))
		began := time.Now()
		s = mustOpen(t, dir)
		t.Logf("  opened in %v", time.Since(began).Round(time.Millisecond))
		for _, load := range []struct{ callers, entries int }{{1, 1}, {16, 16}, {64, 4}, {16, 64}} {
			rate, used := figureRate(t, s, load.callers, load.entries, full)
			t.Logf("  %d callers with %d entries each: %.0f acknowledged messages/s, %v of CPU for each", load.callers, load.entries, rate, used)
		}
		used = cpu()
		const pages = 2000
		for range pages {
			if _, err := s.History(bg, chat.HistoryQuery{Conversation: chat.RoomConversation(fmt.Sprint("room-", r.IntN(figureRooms))), Newest: true, Limit: 50}); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("  %v of CPU for the last 50 messages of a room", (cpu()-used)/pages)
		d := s.figures.checkpoints.Data()
		t.Logf("  %.0f ms for a checkpoint, and %.0f ms as the longest of nine in ten", 1000*d.Sum/float64(d.Count), 1000*quantile(d, 0.9))
		s.Close(bg)
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "RssAnon") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

func figureRate(t *testing.T, s *Store, callers, n int, full bool) (rate float64, each time.Duration) {
	const long = 6 * time.Second
	var count atomic.Int64
	var all sync.WaitGroup
	began, used := time.Now(), cpu()
	for c := range callers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), uint64(began.UnixNano())))
			for time.Since(began) < long {
				if err := commit(s, figureEntries(r, n, full)); err != nil {
					t.Error(err)
					return
				}
				count.Add(int64(n))
			}
		})
	}
	all.Wait()
	return float64(count.Load()) / time.Since(began).Seconds(), (cpu() - used) / time.Duration(count.Load())
}

// quantile is the bound below which that part of the values lies.
func quantile(d chat.HistogramData, part float64) float64 {
	for _, bound := range slices.Sorted(maps.Keys(d.UpTo)) {
		if float64(d.UpTo[bound]) >= part*float64(d.Count) {
			return bound
		}
	}
	return math.Inf(1)
}
