package wsconn

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// PoolConfig configures a Pool.
type PoolConfig struct {
	// Dial makes a connection. It may be called from several goroutines at
	// once. Required.
	Dial func(ctx context.Context) (*Conn, error)

	// Capacity is how many idle connections are kept, at least 1.
	Capacity int

	// MaxOpen is the maximum number of connections that are idle, handed out, or being
	// made. 0 means no limit.
	MaxOpen int

	// IdleLimit is how long a connection may be idle before it is closed. 0 means no
	// limit.
	IdleLimit time.Duration

	// PingTimeout is how long a Get waits for idle connections to answer a ping.
	// Default 1 s.
	PingTimeout time.Duration
}

// Pool keeps connections that goroutines use one after another. Its methods may be
// called from any goroutine.
//
// An idle connection is watched: the peer's pings are answered, and it is closed when
// the peer closes it or sends a message, because no one would read that.
type Pool struct {
	cfg PoolConfig // Immutable.

	mu sync.Mutex
	// Guarded by mu.
	closed bool
	open   int     // idle, handed out or being made
	idle   []*idle // the most recently used one last
	out    map[*Conn]struct{}
	queue  []*waiting // Gets that wait for open to fall below MaxOpen, the oldest first
	counts PoolStats
}

// PoolStats are a Pool's counters.
type PoolStats struct {
	Open int // connections now: idle, handed out or being made
	Idle int // the idle part of Open
	Out  int // the handed out part of Open

	Reused     uint64 // idle connections that Get handed out
	Dialed     uint64 // connections made
	DialErrors uint64 // connections that could not be made
	Waited     uint64 // Gets that had to wait because of MaxOpen
	Unhealthy  uint64 // idle connections that ended, did not answer a ping, or sent a message
	Expired    uint64 // idle connections closed after IdleLimit
	Surplus    uint64 // connections put back when Capacity was reached
	Broken     uint64 // connections put back that could not be used again
}

// NewPool returns a pool without connections; see Warm.
func NewPool(cfg PoolConfig) (*Pool, error) {
	switch {
	case cfg.Dial == nil:
		return nil, errors.New("wsconn: PoolConfig.Dial is nil")
	case cfg.Capacity < 1:
		return nil, errors.New("wsconn: PoolConfig.Capacity must be at least 1")
	case cfg.MaxOpen < 0:
		return nil, errors.New("wsconn: PoolConfig.MaxOpen is negative")
	case cfg.IdleLimit < 0:
		return nil, errors.New("wsconn: PoolConfig.IdleLimit is negative")
	case cfg.PingTimeout < 0:
		return nil, errors.New("wsconn: PoolConfig.PingTimeout is negative")
	}
	if cfg.PingTimeout == 0 {
		cfg.PingTimeout = time.Second
	}
	return &Pool{cfg: cfg, out: make(map[*Conn]struct{})}, nil
}

// Get returns a connection: an idle one that answers a ping, otherwise a new one. It
// waits for a connection only if there are MaxOpen of them and none is idle. The caller
// must return the connection by Put, even if it has ended. The error is ctx's, Dial's, or
// ErrClosed.
func (p *Pool) Get(ctx context.Context) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	patient := true // PingTimeout has not passed yet
	placed := false // this Get already counts in p.open
	for {
		i, w, err := p.claim(patient, placed)
		if w != nil {
			i, err = p.wait(ctx, w)
		}
		switch {
		case err != nil:
			return nil, err
		case i == nil:
			return p.dial(ctx)
		}
		healthy, inTime := p.check(ctx, i)
		if healthy {
			return p.handOut(i.c, true)
		}
		if err := ctx.Err(); err != nil {
			p.giveBack(i.c)
			return nil, err
		}
		i.c.CloseNow()
		patient, placed = inTime, true
	}
}

// claim returns an idle connection, a place in the queue, or neither: then the caller
// counts in p.open and makes a connection. patient says that idle connections may be
// tried, placed that the caller counts in p.open already.
func (p *Pool) claim(patient, placed bool) (*idle, *waiting, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	switch {
	case p.closed:
		if placed {
			p.vacate()
		}
		return nil, nil, ErrClosed
	case n > 0 && patient:
		if placed {
			p.vacate()
		}
		i := p.idle[n-1]
		p.takeIdle(i)
		return i, nil, nil
	case placed:
		return nil, nil, nil
	case p.cfg.MaxOpen == 0 || p.open < p.cfg.MaxOpen:
		p.open++
		return nil, nil, nil
	}
	w := &waiting{turn: make(chan *idle, 1)}
	p.queue = append(p.queue, w)
	p.counts.Waited++
	return nil, w, nil
}

// dial makes a connection and hands it out. The caller counts in p.open.
func (p *Pool) dial(ctx context.Context) (*Conn, error) {
	c, err := p.cfg.Dial(ctx)
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.counts.DialErrors++
		p.vacate()
		return nil, err
	}
	return p.handOut(c, false)
}

// handOut counts c as handed out, unless the pool has been closed.
func (p *Pool) handOut(c *Conn, reused bool) (*Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reused {
		p.counts.Reused++
	} else {
		p.counts.Dialed++
	}
	if p.closed {
		p.retire(c)
		return nil, ErrClosed
	}
	p.out[c] = struct{}{}
	return c, nil
}

// Put returns a connection that Get handed out, and that is no longer in use. The
// connection is closed if it cannot be used again, because it has ended or a message is
// unfinished in either direction, and if Capacity connections are idle already. Put
// panics if c is not handed out.
func (p *Pool) Put(c *Conn) {
	p.mu.Lock()
	_, ok := p.out[c]
	delete(p.out, c)
	p.mu.Unlock()
	if !ok {
		panic("wsconn: Put of a connection that this Pool has not handed out")
	}
	p.giveBack(c)
}

// giveBack keeps or closes a connection that is not in use and counts in p.open.
func (p *Pool) giveBack(c *Conn) {
	sound := c.atRest()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !sound:
		p.counts.Broken++
		p.retire(c)
	case p.closed:
		p.retire(c)
	case len(p.queue) == 0 && len(p.idle) >= p.cfg.Capacity:
		p.counts.Surplus++
		p.retire(c)
	default:
		p.keepIdle(p.watchIdle(c))
	}
}

// Warm makes connections until n of them are idle, as far as Capacity and MaxOpen
// allow. It returns when that is so, or a connection could not be made.
func (p *Pool) Warm(ctx context.Context, n int) error {
	p.mu.Lock()
	missing := min(n, p.cfg.Capacity) - len(p.idle)
	if p.cfg.MaxOpen > 0 {
		missing = min(missing, p.cfg.MaxOpen-p.open)
	}
	if p.closed || missing <= 0 {
		defer p.mu.Unlock()
		if p.closed {
			return ErrClosed
		}
		return nil
	}
	p.open += missing
	p.mu.Unlock()

	errs := make([]error, missing)
	var dials sync.WaitGroup
	for i := range errs {
		dials.Go(func() {
			c, err := p.dial(ctx)
			if err == nil {
				p.Put(c)
			}
			errs[i] = err
		})
	}
	dials.Wait()
	return errors.Join(errs...)
}

// Close closes the idle connections and returns when that is done. From then on Get
// fails, and connections that are put back are closed.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, w := range p.queue {
		close(w.turn)
	}
	p.queue = nil
	var closing sync.WaitGroup
	for _, i := range slices.Clone(p.idle) {
		p.takeIdle(i)
		i.leave()
		p.vacate()
		closing.Go(func() { i.c.Close(wsproto.CloseNormal, "") })
	}
	p.mu.Unlock()
	closing.Wait()
}

// Stats returns the current counters.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.counts
	s.Open, s.Idle, s.Out = p.open, len(p.idle), len(p.out)
	return s
}

// retire closes a connection and uncounts it. mu is held.
func (p *Pool) retire(c *Conn) {
	p.vacate()
	go c.Close(wsproto.CloseNormal, "")
}
