package chat

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// troublePause is how long after one line about a kind of trouble the next one comes. An
// engine that is away fails every operation.
const troublePause = 10 * time.Second

// trouble logs that one kind of thing fails, and that it works again.
type trouble struct {
	what, again string // of the log; again may be ""

	failing atomic.Bool

	mu sync.Mutex
	// Guarded by mu.
	logged time.Duration // when there was a line, by Clock.Monotonic
	last   time.Duration // when it failed last
	unsaid int           // failures since the line
}

// note takes note of how something went.
func (t *trouble) note(log *slog.Logger, clock Clock, err error) {
	if err == nil && !t.failing.Load() {
		return
	}
	now := clock.Monotonic()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.last = now
		if t.failing.Swap(true) && now-t.logged < troublePause {
			t.unsaid++
			return
		}
		log.Error(t.what, "error", err, "others", t.unsaid)
		t.logged, t.unsaid = now, 0
	case now-t.last >= troublePause && t.failing.Swap(false) && t.again != "":
		log.Info(t.again)
	}
}
