package client

import (
	"context"
	"slices"
	"time"
)

// waiting is a Get that MaxOpen makes wait.
type waiting struct {
	// turn takes, once, an idle connection, or nil for the place of one. It is
	// closed with the pool.
	turn chan *idle
}

// wait waits for a connection that has been put back, or a place to make one in.
func (p *Pool) wait(ctx context.Context, w *waiting) (*idle, error) {
	select {
	case i, ok := <-w.turn:
		if !ok {
			return nil, ErrClosed
		}
		return i, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.queue, w); at >= 0 {
		p.queue = slices.Delete(p.queue, at, at+1)
		return nil, ctx.Err()
	}
	// Its turn came all the same, and is the next one's now.
	switch i, ok := <-w.turn; {
	case ok && i == nil:
		p.vacate()
	case ok:
		p.keep(i)
	}
	return nil, ctx.Err()
}

// next takes who waits longest out of the queue; nil is nobody. mu is held.
func (p *Pool) next() *waiting {
	if len(p.queue) == 0 {
		return nil
	}
	w := p.queue[0]
	p.queue = slices.Delete(p.queue, 0, 1)
	return w
}

// vacate gives a place among the open connections up. mu is held.
func (p *Pool) vacate() {
	if w := p.next(); w != nil {
		w.turn <- nil
		return
	}
	p.open--
}

// keep passes an idle connection to who waits, or keeps it. mu is held.
func (p *Pool) keep(i *idle) {
	switch w := p.next(); {
	case w != nil:
		w.turn <- i
	case p.closed:
		i.leave()
		p.retire(i.c)
	default:
		p.idle = append(p.idle, i)
		if p.cfg.IdleLimit > 0 {
			i.expire = time.AfterFunc(p.cfg.IdleLimit, func() { p.drop(i, &p.counts.Expired) })
		}
	}
}
