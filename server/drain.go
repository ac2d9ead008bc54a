package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
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
// do not all reconnect elsewhere at the same moment. HTTP requests that Serve is answering
// are answered; http.Server.RegisterOnShutdown (see Config.HTTPServer) tells those that do
// not end by themselves, such as event streams.
//
// Drain returns when all connections, requests and loops have ended. When ctx is done, what
// remains is cut; the error then says how much, and wraps ctx's. Connections and requests
// that another http.Server accepted are its own: shut it down first. If Drain is called more than once, the
// earliest deadline wins. Handlers must not call it: their loop cannot end while they
// wait for it.
func (s *Server) Drain(ctx context.Context, over time.Duration) error {
	s.mu.Lock()
	s.stopped = true
	https := s.https
	s.mu.Unlock()
	requests := make(chan int, 1)
	go func() { requests <- s.drainHTTP(ctx, https) }()
	cut, err := s.drainLoops(ctx, over)
	n := <-requests
	switch {
	case err != nil && cut < 0:
		return err
	case n == 0 && err != nil:
		return fmt.Errorf("server: %d connections were cut: %w", cut, err)
	case n > 0 && cut == 0:
		return fmt.Errorf("server: %d HTTP requests were cut: %w", n, ctx.Err())
	case n > 0:
		return fmt.Errorf("server: %d connections and %d HTTP requests were cut: %w", cut, n, ctx.Err())
	}
	return nil
}

// drainLoops ends the WebSockets and the loops. If ctx ends first, it returns its error,
// and how many connections were cut, or -1 if that is not known.
func (s *Server) drainLoops(ctx context.Context, over time.Duration) (cut int, err error) {
	s.postAll(task{kind: taskStop, over: over})
	before := s.Stats().Cut
	for _, l := range s.loops {
		select {
		case <-l.ended:
		case <-ctx.Done():
			err = ctx.Err()
			s.postAll(task{kind: taskCut})
			select {
			case <-l.ended:
			case <-time.After(cutTimeout):
				return -1, fmt.Errorf("server: a handler blocks loop %d, whose connections cannot be cut: %w", l.index, err)
			}
		}
	}
	return int(s.Stats().Cut - before), err
}

// drainHTTP lets Serve's http.Servers answer what they are answering, until ctx ends. It
// returns how many requests were cut.
func (s *Server) drainHTTP(ctx context.Context, https []*http.Server) (cut int) {
	for _, hs := range https { // first, so that every answer from now on says that the connection ends
		hs.SetKeepAlivesEnabled(false)
	}
	s.http.stop()
	var ending sync.WaitGroup
	for _, hs := range https {
		ending.Go(func() { hs.Shutdown(ctx) })
	}
	ending.Wait()
	if ctx.Err() != nil {
		cut = s.http.answering()
	}
	for _, hs := range https {
		hs.Close() // hijacked connections no longer belong to it
	}
	return cut
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
	l.giveBackLent()
	l.dropArrivals()
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
