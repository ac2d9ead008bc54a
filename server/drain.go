package server

import (
	"context"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// cutTimeout is how long Drain waits for a loop to cut its connections. That takes no
// time, unless a handler blocks the loop.
const cutTimeout = time.Second

// Shutdown closes every connection at once; otherwise it is like Drain.
func (s *Server) Shutdown(ctx context.Context) error { return s.Drain(ctx, 0) }

// Drain stops accepting and closes all connections with 1001, each after what is
// queued for it. The closes are spread evenly over the given time, so that the clients
// do not all reconnect elsewhere at the same moment. Drain returns when all connections
// and the loops have ended. When ctx is done, the remaining connections are cut; the
// error then says how many, and wraps ctx's. If Drain is called more than once, the
// earliest deadline wins. Handlers must not call it: their loop cannot end while they
// wait for it.
func (s *Server) Drain(ctx context.Context, over time.Duration) error {
	s.mu.Lock()
	s.stopped = true
	for _, hs := range s.https {
		hs.Close() // hijacked connections no longer belong to it
	}
	s.mu.Unlock()
	s.postAll(task{kind: taskStop, over: over})
	cut := s.Stats().Cut
	var err error
	for _, l := range s.loops {
		select {
		case <-l.ended:
		case <-ctx.Done():
			err = ctx.Err()
			s.postAll(task{kind: taskCut})
			select {
			case <-l.ended:
			case <-time.After(cutTimeout):
				return fmt.Errorf("server: a handler blocks loop %d, whose connections cannot be cut: %w", l.index, err)
			}
		}
	}
	if cut = s.Stats().Cut - cut; err != nil {
		err = fmt.Errorf("server: %d connections were cut: %w", cut, err)
	}
	return err
}

// postAll posts a task to every loop that has not ended.
func (s *Server) postAll(t task) {
	for _, l := range s.loops {
		l.post(t, nil) // ErrClosed: it has ended
	}
}

// drainEvery is how often the next slice of the connections is closed.
const drainEvery = 20 * time.Millisecond

// drain is a loop's progress in closing its connections.
type drain struct {
	from, over uint32 // ticks
	next, end  uint32 // slots; 0 and 0 while there is nothing to close
}

// goingAway is the reason in Drain's Close frames.
const goingAway = "server is shutting down"

// stop begins to close the connections, spread over some time. The loop ends after the
// last of them.
func (l *loop) stop(over time.Duration) {
	if d := &l.drain; l.stopping && !before(l.now+ticks(over), d.from+d.over) {
		return // an earlier call closes them sooner
	}
	l.stopping = true
	l.free.mu.Lock()
	l.drain = drain{l.now, ticks(over), 1, l.free.next}
	l.free.mu.Unlock()
}

// drainSlice closes the connections whose time has come.
func (l *loop) drainSlice() {
	d := &l.drain
	until := d.end
	if gone := l.now - d.from; gone < d.over {
		until = min(d.end, 1+uint32(uint64(d.end)*uint64(gone)/uint64(d.over)))
	}
	for ; d.next < until; d.next++ {
		if c := l.at(d.next); c.present() && c.genClosed.Load()&1 == 0 {
			l.sendClose(c, wsproto.CloseGoingAway, goingAway, nil)
		}
	}
}

func (d *drain) pending() bool { return d.next < d.end }

// cut tears down the connections that are left. It is a step of its own in the
// iteration, because it calls OnClose.
func (l *loop) cut() {
	for c := range l.present() {
		l.stats.cut.Add(1)
		l.teardown(c)
	}
}
