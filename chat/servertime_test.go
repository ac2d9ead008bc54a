package chat

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// hands is a clock whose hands a test moves.
type hands struct {
	wall time.Time
	mono time.Duration
}

func (h *hands) Now() time.Time                              { return h.wall }
func (h *hands) Monotonic() time.Duration                    { return h.mono }
func (h *hands) AfterFunc(time.Duration, func()) func() bool { panic("not used") }

func (h *hands) pass(d time.Duration) {
	h.wall = h.wall.Add(d)
	h.mono += d
}

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func newTestTime(newest time.Time) (*hands, *ServerTime, *strings.Builder) {
	h := &hands{wall: noon, mono: time.Hour}
	var log strings.Builder
	ms := int64(0)
	if !newest.IsZero() {
		ms = newest.UnixMilli()
	}
	return h, NewServerTime(h, ms, slog.New(slog.NewTextHandler(&log, nil))), &log
}

func TestServerTime(t *testing.T) {
	const year = 365 * 24 * time.Hour
	type step struct {
		set, pass time.Duration // the clock is set by set, then pass passes
		want      time.Duration // after noon
	}
	for _, c := range []struct {
		name   string
		newest time.Time
		steps  []step
		logs   string
	}{
		{"it passes", time.Time{}, []step{{0, time.Second, time.Second}, {0, time.Hour, time.Hour + time.Second}}, ""},
		{"small corrections", time.Time{}, []step{
			{time.Second, 0, time.Second}, {-time.Second, time.Second / 2, time.Second}, // it stands still
			{0, time.Second, 3 * time.Second / 2},
		}, ""},
		{"one wrong reading", time.Time{}, []step{
			{10 * year, time.Second, time.Second}, {-10 * year, time.Second, 2 * time.Second}, {0, time.Minute, 62 * time.Second},
		}, ""},
		{"ahead for a while, and back", time.Time{}, []step{
			{10 * year, time.Second, time.Second}, {0, 4 * time.Second, 5 * time.Second}, {0, time.Second, 10*year + 6*time.Second},
			{0, time.Hour, 10*year + time.Hour + 6*time.Second},
			{-10 * year, time.Second, 10*year + time.Hour + 7*time.Second}, {0, 5 * time.Second, time.Hour + 12*time.Second},
			{0, time.Second, time.Hour + 13*time.Second},
		}, "the clock has jumped, and is followed"},
		{"back for a while", time.Time{}, []step{
			{-time.Hour, time.Second, time.Second}, {0, 5 * time.Second, 6*time.Second - time.Hour},
			{time.Hour, time.Second, 7*time.Second - time.Hour}, {0, 5 * time.Second, 12 * time.Second},
		}, "the clock has jumped"},
		{"two different jumps", time.Time{}, []step{
			{time.Hour, time.Second, time.Second}, {time.Hour, 4 * time.Second, 5 * time.Second}, {0, 4 * time.Second, 9 * time.Second},
			{0, time.Second, 10*time.Second + 2*time.Hour},
		}, "by=2h0m0s"},
		{"a newer message", noon.Add(30 * time.Second), []step{{0, 0, 30 * time.Second}, {0, 10 * time.Second, 30 * time.Second}, {0, 30 * time.Second, 40 * time.Second}}, ""},
		{"a message of ten years ahead", noon.Add(10 * year), []step{{0, time.Second, time.Second}}, "a time in the future"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, st, log := newTestTime(c.newest)
			for i, s := range c.steps {
				h.wall = h.wall.Add(s.set)
				h.pass(s.pass)
				if got := time.UnixMilli(st.Now()).Sub(noon); got != s.want {
					t.Fatalf("step %d: noon and %v, want %v", i+1, got, s.want)
				}
			}
			if (c.logs == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.logs) {
				t.Errorf("logged %q, want %q", log, c.logs)
			}
		})
	}
}
