package worker

import (
	"context"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
)

// Offset is how far a worker's clock is from the controller's.
type Offset struct {
	Ahead int64         `json:"ahead_ns"` // theirs minus ours
	Error time.Duration `json:"error_ns"` // at most so far from the truth, either way
}

// clockProbes is how often a clock is asked for; the quickest answer counts.
const clockProbes = 50

// MeasureClock asks a worker for the time. Its answer was made somewhere between
// our asking and our hearing it, so the error is half of that.
func MeasureClock(ctx context.Context, w Worker) (Offset, error) {
	best := Offset{Error: time.Hour}
	for range clockProbes {
		before := drive.Now()
		theirs, err := w.Clock(ctx)
		if err != nil {
			return best, err
		}
		after := drive.Now()
		if half := time.Duration(after-before) / 2; half < best.Error {
			best = Offset{theirs - before - int64(half), half}
		}
	}
	return best, nil
}
