package chat

import (
	"log/slog"
	"sync"
	"time"
)

// How far the wall clock may differ from the time that the monotonic clock predicts before
// that counts as a jump, and how long a jump must last before it is believed.
const (
	jumpAhead   = 2 * time.Second
	jumpBack    = time.Minute // if it is behind by less, the time stands still until it is not
	jumpConfirm = 5 * time.Second
)

// ServerTime is the service's time, for timestamps. It follows the wall clock and never goes
// back, except after a jump of the wall clock that has lasted:
//
//	the clock is ahead, or back, by a jump --jumpConfirm, the same jump--> believed, logged
//	                                       --any other reading-----------> forgotten
//
// Until a jump is believed, time continues as before it. So a single wrong reading of the
// clock has no effect, and a clock that was wrong for longer does not stop the time after it
// has been corrected.
type ServerTime struct {
	clock Clock
	log   *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	last   time.Time     // the last time that was returned
	at     time.Duration // when, on the monotonic clock
	jump   time.Duration // a jump that is not believed yet; 0: none
	jumpAt time.Duration // when it was first seen
}

// NewServerTime returns a ServerTime that begins at the wall clock's time, or at the newest
// stored time, in ms, if the clock is less than jumpBack behind that. If it is further
// behind, one of the two is wrong, and the clock is believed.
func NewServerTime(clock Clock, newest int64, log *slog.Logger) *ServerTime {
	t := &ServerTime{clock: clock, log: log, last: clock.Now(), at: clock.Monotonic()}
	t.Follow(newest)
	return t
}

// Follow takes in the newest stored time, in ms, as NewServerTime does, for a store that is read later.
func (t *ServerTime) Follow(newest int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	stored := time.UnixMilli(newest)
	switch ahead := stored.Sub(t.last); {
	case ahead <= 0:
	case ahead <= jumpBack:
		t.last = stored
	default:
		t.log.Warn("chat: the newest message has a time in the future: the clock was wrong then, or is wrong now",
			"newest", stored.UTC(), "now", t.last.UTC())
	}
}

// Now returns the time in ms since 1970.
func (t *ServerTime) Now() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	wall, mono := t.clock.Now(), t.clock.Monotonic()
	expected := t.last.Add(mono - t.at)
	diff := wall.Sub(expected)
	switch {
	case -jumpBack <= diff && diff <= jumpAhead:
		t.jump = 0
		if wall.After(t.last) { // otherwise the time stands still until it is
			t.last = wall
		}
	case t.jump == 0 || (diff-t.jump).Abs() > jumpAhead:
		t.jump, t.jumpAt, t.last = diff, mono, expected
	case mono-t.jumpAt < jumpConfirm:
		t.last = expected
	default:
		t.log.Warn("chat: the clock has jumped, and is followed", "by", diff.Round(time.Millisecond), "from", expected.UTC(), "to", wall.UTC())
		t.jump, t.last = 0, wall
	}
	t.at = mono
	return t.last.UnixMilli()
}
