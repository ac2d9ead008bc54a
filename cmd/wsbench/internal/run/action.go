package run

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

// act carries out the actions, which are due from a moment of our clock on, until the
// returned function is called. That waits for them, and marks them in the result.
func (r *running) act(ctx context.Context, from int64) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	marks := make([]result.Mark, len(r.o.Actions))
	var wg sync.WaitGroup
	for i, a := range r.o.Actions {
		wg.Go(func() {
			if until(ctx, from+int64(a.At)) != nil {
				return
			}
			m := result.Mark{From: float64(drive.Now()-from) / 1e9, Text: a.Command}
			out, err := exec.CommandContext(ctx, "sh", "-c", a.Command).CombinedOutput()
			m.To = float64(drive.Now()-from) / 1e9
			if err != nil {
				m.Error = strings.TrimSpace(fmt.Sprintf("%v %.200s", err, out))
			}
			marks[i] = m
		})
	}
	return func() {
		cancel()
		wg.Wait()
		for _, m := range marks {
			if m.Text != "" {
				r.res.Marks = append(r.res.Marks, m)
			}
		}
		slices.SortFunc(r.res.Marks, func(a, b result.Mark) int { return cmp.Compare(a.From, b.From) })
	}
}
