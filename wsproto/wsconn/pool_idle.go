package wsconn

import (
	"context"
	"slices"
	"time"
)

// idle is a connection that is not in use.
type idle struct {
	c       *Conn
	leave   context.CancelFunc // ends watch
	watched chan struct{}      // closed when watch has ended
	spoke   bool               // it ended, or a message arrived; valid when watched is closed
	expire  *time.Timer        // Guarded by the pool's mu. Of IdleLimit; nil without one.
}

// atRest reports whether the connection can be used again: it has not ended, and no
// message is unfinished in either direction.
func (c *Conn) atRest() bool {
	if !c.message.try() {
		return false
	}
	defer c.message.give()
	if !c.reading.try() {
		return false
	}
	defer c.reading.give()
	if c.partial || c.kept != nil {
		return false
	}
	c.mu.Lock()
	_, _, arriving := c.proto.Unfinished()
	c.mu.Unlock()
	return !arriving && c.usable()
}

// watchIdle starts to watch a connection.
func (p *Pool) watchIdle(c *Conn) *idle {
	ctx, leave := context.WithCancel(context.Background())
	i := &idle{c: c, leave: leave, watched: make(chan struct{})}
	go p.watch(ctx, i)
	return i
}

// watch reads an idle connection until it is needed or can no longer be used.
func (p *Pool) watch(ctx context.Context, i *idle) {
	_, _, err := i.c.Reader(ctx)
	i.spoke = err == nil || ctx.Err() == nil
	close(i.watched)
	if i.spoke {
		p.drop(i, &p.counts.Unhealthy)
	}
}

// check pings a connection that has been taken from the idle ones, and reports whether
// it is healthy. It ends the watch.
func (p *Pool) check(ctx context.Context, i *idle) (healthy, inTime bool) {
	timed, cancel := context.WithTimeout(ctx, p.cfg.PingTimeout)
	_, err := i.c.Ping(timed)
	inTime = timed.Err() == nil
	cancel()
	i.leave()
	<-i.watched
	healthy = err == nil && !i.spoke && i.c.atRest()
	if !healthy && ctx.Err() == nil {
		p.mu.Lock()
		p.counts.Unhealthy++
		p.mu.Unlock()
	}
	return healthy, inTime
}

// takeIdle removes a connection from the idle ones, and reports whether it was one of
// them. It is still watched. mu is held.
func (p *Pool) takeIdle(i *idle) bool {
	at := slices.Index(p.idle, i)
	if at < 0 {
		return false
	}
	p.idle = slices.Delete(p.idle, at, at+1)
	if i.expire != nil {
		i.expire.Stop()
	}
	return true
}

// drop closes a connection if it is still idle, and adds one to count.
func (p *Pool) drop(i *idle, count *uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.takeIdle(i) {
		*count++
		i.leave()
		p.retire(i.c)
	}
}
