package chat

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// troublePause is the minimum time between two log lines about the same kind of trouble:
// while an engine is unreachable, every operation fails.
const troublePause = 10 * time.Second

// trouble logs when one kind of thing fails, and when it works again.
type trouble struct {
	what, again string // the log messages; again may be ""

	failing atomic.Bool

	mu sync.Mutex
	// Guarded by mu.
	logged time.Duration // when the last line was logged, by Clock.Monotonic
	last   time.Duration // when it last failed
	unsaid int           // failures since that line
}

// note records an error, or a success if err is nil.
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
