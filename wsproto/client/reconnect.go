package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// ReconnectorConfig says how a Reconnector works. It is not changed after
// NewReconnector.
type ReconnectorConfig struct {
	// Dial makes a connection. Required.
	Dial func(ctx context.Context) (*Conn, error)

	// Resume, if set, is called with each new connection before anything else
	// uses it, to say who this is and to catch up with what was missed: it may
	// read and write. before is how many connections were open before this one;
	// 0 on the first. An error fails the attempt. It does not keep c.
	Resume func(ctx context.Context, c *Conn, before int) error

	// Message receives the messages, one after the other. p is its own. Run calls
	// it, and State: while they have not returned nothing is read, and no other
	// connection is made, so a Send in them wants a context that ends. Required.
	Message func(op frame.Opcode, p []byte)

	// State, if set, is told of every change, in order.
	State func(Change)

	// Retry, if set, says whether an attempt or a connection that ended with
	// err is to be followed by another. Without it, every one is.
	Retry func(err error) bool

	// Heartbeat is the interval of the pings, and HeartbeatMisses after how many
	// of them in a row without a byte from the peer it is given up. Both are
	// required: a silent peer is found dead after
	// (HeartbeatMisses+1)*Heartbeat.
	Heartbeat       time.Duration
	HeartbeatMisses int

	// AttemptTimeout bounds Dial and Resume together. Default 15 s.
	AttemptTimeout time.Duration

	// BackoffBase and BackoffMax bound the time before an attempt: it is random,
	// below BackoffBase after the first failure, and below twice as much after
	// each further one, up to BackoffMax. Defaults 500 ms and 30 s.
	BackoffBase, BackoffMax time.Duration

	// RetryBudget is how many failures in a row are followed by another attempt.
	// A connection that ends before it was open for BackoffMax is a failure,
	// too. 0 is no bound.
	RetryBudget int

	// Rand returns a random number in [0, n). Default: that of math/rand/v2.
	Rand func(n int64) int64
}

// Reconnector keeps a connection up: it makes one, watches over it, and makes
// the next one when it ends. Run does that, once; Send may be called from any
// goroutine.
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

// NewReconnector checks cfg. Nothing is connected before Run.
func NewReconnector(cfg ReconnectorConfig) (*Reconnector, error) {
	switch {
	case cfg.Dial == nil:
		return nil, errors.New("client: ReconnectorConfig.Dial is nil")
	case cfg.Message == nil:
		return nil, errors.New("client: ReconnectorConfig.Message is nil")
	case cfg.Heartbeat <= 0:
		return nil, errors.New("client: ReconnectorConfig.Heartbeat must be above 0")
	case cfg.HeartbeatMisses < 1:
		return nil, errors.New("client: ReconnectorConfig.HeartbeatMisses must be at least 1")
	case cfg.RetryBudget < 0:
		return nil, errors.New("client: ReconnectorConfig.RetryBudget is negative")
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
			return nil, errors.New("client: ReconnectorConfig." + d.name + " is negative")
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
		backoff: backoff{base: cfg.BackoffBase, max: cfg.BackoffMax, rand: cfg.Rand},
		changed: make(chan struct{}),
	}, nil
}

// Run keeps a connection up until ctx ends, and then closes it with 1000. It
// returns ctx's error, or that of the last attempt or connection if RetryBudget
// is used up or Retry said no. It can be called once.
func (r *Reconnector) Run(ctx context.Context) error {
	r.mu.Lock()
	running := r.running
	r.running = true
	r.mu.Unlock()
	if running {
		return &wsproto.UsageError{Reason: "Run of a Reconnector that has been run"}
	}
	err := r.run(ctx)
	r.publish(nil, err)
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
			return fmt.Errorf("client: given up after %d failures in a row: %w", failures, err)
		}
		delay := r.backoff.delay(failures)
		r.state(Change{State: StateWaiting, Err: err, Failures: failures, Delay: delay})
		if err := sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// attempt makes a connection and resumes what was there before.
func (r *Reconnector) attempt(ctx context.Context, before int) (*Conn, error) {
	timed, cancel := context.WithTimeout(ctx, r.cfg.AttemptTimeout)
	defer cancel()
	c, err := r.cfg.Dial(timed)
	if err == nil && r.cfg.Resume != nil {
		if err = r.cfg.Resume(timed, c, before); err != nil {
			go c.Close(wsproto.CloseNormal, "")
			err = fmt.Errorf("client: resume: %w", err)
		}
	}
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("client: no connection within %v: %w", r.cfg.AttemptTimeout, err)
	}
	return c, err
}

// serve lets c be used until it ends, and returns why it did.
func (r *Reconnector) serve(ctx context.Context, c *Conn) error {
	h := &heartbeat{c: c, interval: r.cfg.Heartbeat, max: r.cfg.HeartbeatMisses}
	h.start()
	defer h.stop()
	r.publish(c, nil)
	defer r.publish(nil, nil)
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
