package bolt

import (
	"runtime"
	"sync"
	"testing"
)

// Writers whose jobs are done together, and who then bring the next ones, share a
// transaction again: none of them is first with one of its own.
func TestWritersStayTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // where they come one after the other
	const writers, rounds = 16, 50
	s := &Store{}
	s.commits.wake.L = &s.commits.mu
	var done sync.Map // channels by job
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				j, over := &job{}, make(chan struct{})
				done.Store(j, over)
				if err := s.queue(j); err != nil {
					t.Error(err)
				}
				<-over
			}
		})
	}
	batches := 0
	for n := 0; n < writers*rounds; batches++ {
		jobs, _, _ := s.commits.take(true)
		for _, j := range jobs {
			over, _ := done.Load(j)
			close(over.(chan struct{}))
		}
		n += len(jobs)
	}
	wg.Wait()
	t.Logf("%d batches for %d rounds", batches, rounds)
	if batches > 2*rounds {
		t.Errorf("%d batches; want one for each of %d rounds, or two", batches, rounds)
	}
}
