package bolt

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Writers whose jobs are done together, and that then bring their next ones, share a
// transaction again: none of them gets a transaction of its own first.
func TestWritersStayTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // if they come one after the other
	const writers, rounds = 16, 50
	s := &Store{}
	s.commits.clock = newJumpyClock()
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

// Writers that come one by one, at every opportunity, do not keep the committer from writing.
func TestWritersWithoutEnd(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := &Store{}
	clock := &tickingClock{jumpyClock: newJumpyClock()}
	s.commits.clock = clock
	s.commits.wake.L = &s.commits.mu
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !over.Load() {
			if err := s.queue(&job{}); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	})
	jobs, _, _ := s.commits.take(true)
	over.Store(true)
	wg.Wait()
	if len(jobs) > 10 {
		t.Errorf("the first of %d waited for the last", len(jobs))
	}
}

// tickingClock advances by a millisecond whenever it is read.
type tickingClock struct {
	*jumpyClock
	looks atomic.Int64
}

func (c *tickingClock) Monotonic() time.Duration {
	return time.Duration(c.looks.Add(1)) * time.Millisecond
}
