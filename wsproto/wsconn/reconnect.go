package wsconn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// ReconnectorConfig configures a Reconnector.
type ReconnectorConfig struct {
	// Dial makes a connection. Required.
	Dial func(ctx context.Context) (*Conn, error)

	// Resume, if set, is called with each new connection before anything else uses it,
	// for example to authenticate and to catch up with what was missed. It may read and
	// write, but must not keep c. before is how many connections have been open before
	// this one; 0 for the first. An error fails the attempt.
	Resume func(ctx context.Context, c *Conn, before int) error

	// Message receives the messages, one after the other; it may keep p. Run calls
	// Message and State. Until they return, nothing is read and no new connection is
	// made, so a Send in them needs a context that ends. Required.
	Message func(op frame.Opcode, p []byte)

	// State, if set, is called with every change of state, in order.
	State func(Change)

	// Retry, if set, reports whether to try again after an attempt failed, or a
	// connection ended, with err. The default is always to try again.
	Retry func(err error) bool

	// Heartbeat is the interval of pings. HeartbeatMisses is the number of pings in a
	// row without a byte from the peer after which the connection is given up. So a
	// silent peer is detected after (HeartbeatMisses+1)*Heartbeat. Both are required.
	Heartbeat       time.Duration
	HeartbeatMisses int

	// AttemptTimeout is the maximum time for Dial and Resume together. Default 15 s.
	AttemptTimeout time.Duration

	// BackoffBase and BackoffMax limit the random time before an attempt: it is below
	// BackoffBase after the first failure, and the limit doubles with each further one,
	// up to BackoffMax. Defaults 500 ms and 30 s.
	BackoffBase, BackoffMax time.Duration

	// RetryBudget is the maximum number of failures in a row after which to try again.
	// A connection that ends before it has been open for BackoffMax counts as a failure.
	// 0 means no limit.
	RetryBudget int

	// Rand returns a random number in [0, n). Default: that of math/rand/v2.
	Rand func(n int64) int64
}

// Reconnector keeps a connection up: it makes one, watches it, and makes the next one
// when it ends. Run does that; Send may be called from any goroutine.
type Reconnector struct {
	// Immutable.
	cfg     ReconnectorConfig
	backoff backoff

	mu sync.Mutex
	// Guarded by mu.
	running bool
	stopped error         // why Run has returned
	current *Conn         // nil while none is open
	changed chan struct{} // closed and replaced when current or stopped changes
}

// NewReconnector returns a Reconnector that connects when Run is called. The error says
// what is wrong with cfg.
func NewReconnector(cfg ReconnectorConfig) (*Reconnector, error) {
	switch {
	case cfg.Dial == nil:
		return nil, errors.New("wsconn: ReconnectorConfig.Dial is nil")
	case cfg.Message == nil:
		return nil, errors.New("wsconn: ReconnectorConfig.Message is nil")
	case cfg.Heartbeat <= 0:
		return nil, errors.New("wsconn: ReconnectorConfig.Heartbeat must be above 0")
	case cfg.HeartbeatMisses < 1:
		return nil, errors.New("wsconn: ReconnectorConfig.HeartbeatMisses must be at least 1")
	case cfg.RetryBudget < 0:
		return nil, errors.New("wsconn: ReconnectorConfig.RetryBudget is negative")
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"AttemptTimeout", &cfg.AttemptTimeout, 15 * time.Second},
		{"BackoffBase", &cfg.BackoffBase, 500 * time.Millisecond},
		{"BackoffMax", &cfg.BackoffMax, 30 * time.Second},
	} {
		if *d.v < 0 {
			return nil, errors.New("wsconn: ReconnectorConfig." + d.name + " is negative")
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if cfg.Rand == nil {
		cfg.Rand = randInt64N
	}
	return &Reconnector{
		cfg:     cfg,
		backoff: backoff{base: cfg.BackoffBase, limit: cfg.BackoffMax, rand: cfg.Rand},
		changed: make(chan struct{}),
	}, nil
}

// Run keeps a connection up until ctx ends, and then closes it with 1000. It returns
// ctx's error, or the error of the last attempt or connection if RetryBudget is used up
// or Retry returned false. It can be called only once.
func (r *Reconnector) Run(ctx context.Context) error {
	r.mu.Lock()
	running := r.running
	r.running = true
	r.mu.Unlock()
	if running {
		return &wsproto.UsageError{Reason: "Reconnector.Run was called a second time"}
	}
	err := r.run(ctx)
	r.setCurrent(nil, err)
	r.state(Change{State: StateStopped, Err: err})
	return err
}

func (r *Reconnector) run(ctx context.Context) error {
	before, failures := 0, 0
	for {
		r.state(Change{State: StateConnecting, Failures: failures})
		c, err := r.attempt(ctx, before)
		if err == nil {
			before++
			opened := time.Now()
			r.state(Change{State: StateOpen})
			err = r.serve(ctx, c)
			if time.Since(opened) >= r.cfg.BackoffMax {
				failures = 0
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failures++
		switch {
		case r.cfg.Retry != nil && !r.cfg.Retry(err):
			return err
		case r.cfg.RetryBudget > 0 && failures > r.cfg.RetryBudget:
			return fmt.Errorf("wsconn: given up after %d failures in a row: %w", failures, err)
		}
		delay := r.backoff.delay(failures)
		r.state(Change{State: StateWaiting, Err: err, Failures: failures, Delay: delay})
		if err := sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// attempt makes a connection and calls Resume.
func (r *Reconnector) attempt(ctx context.Context, before int) (*Conn, error) {
	timed, cancel := context.WithTimeout(ctx, r.cfg.AttemptTimeout)
	defer cancel()
	c, err := r.cfg.Dial(timed)
	if err == nil && r.cfg.Resume != nil {
		if err = r.cfg.Resume(timed, c, before); err != nil {
			go c.Close(wsproto.CloseNormal, "")
			err = fmt.Errorf("wsconn: resume: %w", err)
		}
	}
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("wsconn: no connection within %v: %w", r.cfg.AttemptTimeout, err)
	}
	return c, err
}

// serve reads from c, and lets Send use it, until it ends. It returns why it ended.
func (r *Reconnector) serve(ctx context.Context, c *Conn) error {
	h := &heartbeat{c: c, interval: r.cfg.Heartbeat, maxMisses: r.cfg.HeartbeatMisses}
	h.start()
	defer h.stop()
	r.setCurrent(c, nil)
	defer r.setCurrent(nil, nil)
	for {
		op, p, err := c.Read(ctx)
		if err != nil {
			if ctx.Err() != nil {
				c.Close(wsproto.CloseNormal, "")
			}
			return err
		}
		h.handled.Add(1)
		r.cfg.Message(op, p)
		h.handled.Add(1)
	}
}

func (r *Reconnector) state(ch Change) {
	if r.cfg.State != nil {
		r.cfg.State(ch)
	}
}
