package wsconn

import (
	"context"
	"slices"
	"time"
)

// waiting is a Get that waits because of MaxOpen.
type waiting struct {
	// turn receives one value: an idle connection, or nil for permission to make one.
	// It is closed with the pool.
	turn chan *idle
}

// wait waits for a connection that is put back, or for permission to make one.
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
	// Its turn came at the same time: pass it on.
	switch i, ok := <-w.turn; {
	case ok && i == nil:
		p.vacate()
	case ok:
		p.keepIdle(i)
	}
	return nil, ctx.Err()
}

// next removes the oldest Get from the queue and returns it, or nil. mu is held.
func (p *Pool) next() *waiting {
	if len(p.queue) == 0 {
		return nil
	}
	w := p.queue[0]
	p.queue = slices.Delete(p.queue, 0, 1)
	return w
}

// vacate uncounts an open connection, or lets the next Get make one. mu is held.
func (p *Pool) vacate() {
	if w := p.next(); w != nil {
		w.turn <- nil
		return
	}
	p.open--
}

// keepIdle passes an idle connection to the next Get that waits, or keeps it. mu is
// held.
func (p *Pool) keepIdle(i *idle) {
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
