package server

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// admission is the context of the request that Admit is given. It has the values of the
// request's own context, which net/http ends as soon as the handshake is over. This one
// lasts until the connection has ended.
//
// Most applications never ask when it ends. So it costs the connection nothing until its
// Done is called: the connection does not know it, and only then does it register with the
// loop.
type admission struct {
	request context.Context

	mu sync.Mutex
	// Guarded by mu.
	life   context.Context // nil until somebody asks
	cancel context.CancelFunc
	stop   func() bool // stops watching request; nil if life does not depend on it
	conn   Conn        // zero during the handshake
	over   bool        // the handshake failed
}

// forAdmit returns r with an admission as its context.
func forAdmit(r *http.Request) (*http.Request, *admission) {
	a := &admission{request: r.Context()}
	return r.WithContext(a), a
}

func (a *admission) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (a *admission) Done() <-chan struct{}                   { return a.context().Done() }
func (a *admission) Err() error                              { return a.context().Err() }

// Value also finds what package context uses to derive contexts without a goroutine for
// each.
func (a *admission) Value(key any) any {
	a.mu.Lock()
	life := a.life
	a.mu.Unlock()
	if life != nil {
		if v := life.Value(key); v != nil {
			return v
		}
	}
	return a.request.Value(key)
}

// context returns the context that ends with the connection.
func (a *admission) context() context.Context {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.life != nil {
		return a.life
	}
	a.life, a.cancel = context.WithCancel(context.Background())
	switch {
	case a.over:
		a.cancel()
	case a.conn != Conn{}:
		a.conn.whenGone(a.cancel)
	default:
		a.stop = context.AfterFunc(a.request, a.cancel)
	}
	return a.life
}

// attach makes the context end with c. It is called before net/http ends the request's
// own.
func (a *admission) attach(c Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn = c
	if a.life != nil {
		a.stop()
		c.whenGone(a.cancel)
	}
}

// fail ends the context of a handshake that led to no connection.
func (a *admission) fail() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.life != nil {
		a.cancel()
	}
}

// endings holds what is called when connections are gone.
type endings struct {
	mu    sync.Mutex
	calls map[*conn][]func() // Guarded by mu.
}

// whenGone has f called when the connection is gone, by its loop; or at once, if it is gone
// already. f must not block.
func (c Conn) whenGone(f func()) {
	e := &c.conn.loop.whenGone
	e.mu.Lock()
	here := c.conn.gen() == c.gen // reap changes the generation before it takes the calls
	if here {
		if e.calls == nil {
			e.calls = map[*conn][]func(){}
		}
		e.calls[c.conn] = append(e.calls[c.conn], f)
	}
	e.mu.Unlock()
	if !here {
		f()
	}
}

// call calls what waits for the end of these connections.
func (e *endings) call(conns []*conn) {
	var calls []func()
	e.mu.Lock()
	if len(e.calls) > 0 {
		for _, c := range conns {
			if fs, ok := e.calls[c]; ok {
				calls = append(calls, fs...)
				delete(e.calls, c)
			}
		}
	}
	e.mu.Unlock()
	for _, f := range calls {
		f()
	}
}
