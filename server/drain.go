package server

import (
	"context"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// cutTimeout is how long a loop has to cut its connections: it needs none, unless a
// handler holds it.
const cutTimeout = time.Second

// Shutdown is Drain without a pause: every connection is closed at once.
func (s *Server) Shutdown(ctx context.Context) error { return s.Drain(ctx, 0) }

// Drain stops accepting and closes the connections with 1001, each behind what is
// queued for it: evenly over a time, so that they do not all come back to another
// server at the same moment. It waits until all have ended and the loops with them.
// When ctx is done the rest is cut; the error then says how many were, and wraps
// ctx's. Of several calls, the one whose time is over first sets the pace. It is not
// for handlers, whose loop cannot end while they wait for it.
func (s *Server) Drain(ctx context.Context, over time.Duration) error {
	s.mu.Lock()
	s.stopped = true
	for _, hs := range s.https {
		hs.Close() // what was hijacked is not its any more
	}
	s.mu.Unlock()
	s.all(task{kind: taskStop, over: over})
	cut := s.Stats().Cut
	var err error
	for _, l := range s.loops {
		select {
		case <-l.ended:
		case <-ctx.Done():
			err = ctx.Err()
			s.all(task{kind: taskCut})
			select {
			case <-l.ended:
			case <-time.After(cutTimeout):
				return fmt.Errorf("server: a handler holds loop %d and its connections: %w", l.index, err)
			}
		}
	}
	if cut = s.Stats().Cut - cut; err != nil {
		err = fmt.Errorf("server: %d connections were cut: %w", cut, err)
	}
	return err
}

// all posts a task to every loop that has not ended.
func (s *Server) all(t task) {
	for _, l := range s.loops {
		l.post(t, nil) // ErrClosed: it has ended
	}
}

// drainEvery is how often the next slice of the connections is closed.
const drainEvery = 20 * time.Millisecond

// drain is how far a loop has come with closing its connections.
type drain struct {
	from, over uint32 // ticks
	next, end  uint32 // slots; 0 and 0 while there is nothing to close
}

// goingAway is the reason that is given.
const goingAway = "server is shutting down"

// stop has every connection closed over some time, and the loop end after the
// last of them.
func (l *loop) stop(over time.Duration) {
	if d := &l.drain; l.stopping && !before(l.now+ticks(over), d.from+d.over) {
		return // it is as far as that already
	}
	l.stopping = true
	l.free.mu.Lock()
	l.drain = drain{l.now, ticks(over), 1, l.free.next}
	l.free.mu.Unlock()
}

// drainSlice closes those whose time has come.
func (l *loop) drainSlice() {
	d := &l.drain
	until := d.end
	if gone := l.now - d.from; gone < d.over {
		until = min(d.end, 1+uint32(uint64(d.end)*uint64(gone)/uint64(d.over)))
	}
	for ; d.next < until; d.next++ {
		if c := l.at(d.next); c.fd >= 0 && c.word.Load()&1 == 0 {
			l.sendClose(d.next, c, wsproto.CloseGoingAway, goingAway, nil)
		}
	}
}

func (d *drain) pending() bool { return d.next < d.end }

// cut tears down what stop has left. It is done between the other steps of an
// iteration, because it calls OnClose.
func (l *loop) cut() {
	for slot := range l.used() {
		l.stats.cut.Add(1)
		l.teardown(slot, l.at(slot))
	}
}
