package worker

import (
	"context"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
)

// Offset is how far a worker's clock is from the controller's.
type Offset struct {
	Ahead int64         `json:"ahead_ns"` // theirs minus ours
	Error time.Duration `json:"error_ns"` // maximum error of Ahead, in either direction
}

// clockProbes is how often a clock is read; the fastest answer counts.
const clockProbes = 50

// MeasureClock compares a worker's clock with ours. The worker read its clock at some time
// between our question and its answer, so the error is at most half of that.
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
