package chat

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A timeLimit does what context.WithDeadline does, whenever it is first asked for what.
func TestTimeLimit(t *testing.T) {
	const limit = time.Second
	asks := map[string]func(context.Context){
		"nothing": func(context.Context) {},
		"Err":     func(ctx context.Context) { ctx.Err() },
		"Done":    func(ctx context.Context) { ctx.Done() },
		"a child": func(ctx context.Context) {
			_, cancel := context.WithCancel(ctx)
			defer cancel()
		},
	}
	for name, ask := range asks {
		for _, before := range []bool{true, false} {
			for wait, want := range map[time.Duration]error{0: nil, limit - 1: nil, limit: context.DeadlineExceeded} {
				for _, end := range []bool{true, false} {
					synctest.Test(t, func(t *testing.T) {
						l := limitedUntil(time.Now().Add(limit))
						defer l.end()
						if before {
							ask(l)
						}
						time.Sleep(wait)
						synctest.Wait()
						want := want
						if end {
							l.end()
							if want == nil {
								want = context.Canceled
							}
						}
						if !before {
							ask(l)
						}
						if got := l.Err(); got != want {
							t.Errorf("%s, %v before, after %v, end %v: %v, want %v", name, before, wait, end, got, want)
						}
						done := false
						select {
						case <-l.Done():
							done = true
						default:
						}
						child, cancel := context.WithCancel(l)
						defer cancel()
						if done != (want != nil) || l.Err() != want || child.Err() != want {
							t.Errorf("%s, %v before, after %v, end %v: done %v, then %v, its child %v, want %v", name, before, wait, end, done, l.Err(), child.Err(), want)
						}
					})
				}
			}
		}
	}
}

// An operation that waits for nothing has no timer.
func TestTimeLimitAllocations(t *testing.T) {
	at := time.Now().Add(time.Hour)
	if n := testing.AllocsPerRun(100, func() {
		l := limitedUntil(at)
		if l.Err() != nil {
			t.Error(l.Err())
		}
		l.end()
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
