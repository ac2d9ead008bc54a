package drive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// Engine runs one worker's load on real connections.
type Engine struct {
	Load *load.Load

	target     Target
	dialer     *connect.Dialer
	plan       *load.Plan
	sources    []netip.Addr
	maxMessage int
	http       *http.Client
	http2      http2Transport // of all connections; nil: each is one of HTTP/1.1
	reactors   []*reactor
	ctx        context.Context // ends when the engine stops
	cancel     context.CancelFunc
	halted     chan struct{} // closed by Halt
	halt       sync.Once
	dials      sync.WaitGroup
	flat       atomic.Int64 // connections that did not agree on compression
}

// rampWidth is how many connections are made at a time before the load begins.
const rampWidth = 256

// New makes an engine with the given number of event loops; 0 means one for each core.
func New(plan *load.Plan, share load.Share, target Target, threads int) (*Engine, error) {
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	threads = max(1, min(threads, share.To-share.From))
	// A goroutine that returns from a system call must find a processor free.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), threads+3))
	quietCollector()
	e := &Engine{target: target, plan: plan, halted: make(chan struct{})}
	if plan.Dialect != nil && plan.Dialect.Subprotocol != "" {
		e.target.Subprotocols = append([]string{plan.Dialect.Subprotocol}, target.Subprotocols...)
	}
	var err error
	if e.dialer, err = e.target.Open(e.target.URL); err != nil {
		return nil, err
	}
	transport := e.dialer.Transport()
	transport.MaxIdleConnsPerHost = rampWidth
	e.http = &http.Client{Transport: transport, Timeout: target.Timeout}
	if plan.HTTP2 {
		e.http2 = e.newHTTP2()
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.maxMessage = max(1<<20, 8*plan.Size+64<<10)
	if plan.Recording != nil {
		e.maxMessage = max(e.maxMessage, 2*plan.Recording.Largest())
	}
	if e.sources, err = target.sources(e.ctx, e.dialer.Host(), share.To-share.From, plan.Cycles()); err != nil {
		return nil, err
	}
	if fit := RaiseDescriptors(share.To - share.From); fit < share.To-share.From {
		return nil, fmt.Errorf("%d connections need %d file descriptors, and this process may open %d: raise the hard limit (ulimit -Hn %d, or LimitNOFILE), or use --processes",
			share.To-share.From, share.To-share.From+spareDescriptors, fit+spareDescriptors, share.To-share.From+spareDescriptors)
	}
	e.Load = load.New(plan, share, threads, Now, e)
	for _, s := range e.Load.Shards {
		r, err := newReactor(s, e.maxMessage)
		if err != nil {
			return nil, err
		}
		e.reactors = append(e.reactors, r)
	}
	return e, nil
}

// Probe makes one connection and closes it, to check the target. Its error is meant for
// the user.
func (e *Engine) Probe(ctx context.Context) (handshake.Result, error) {
	timed, cancel := context.WithTimeout(ctx, e.target.Timeout)
	defer cancel()
	o, err := e.options(netip.Addr{}, func(time.Duration) {})
	if err != nil {
		return handshake.Result{}, err
	}
	nc, left, res, err := e.open(timed, o)
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return handshake.Result{}, fmt.Errorf("no connection to %s within %v (--connect-timeout)", e.target.URL, e.target.Timeout)
	}
	if err != nil {
		err = fmt.Errorf("cannot connect to %s: %w", e.target.URL, connect.Explain(err))
		if e.http2 != nil && !errors.As(err, new(*handshake.Error)) {
			err = fmt.Errorf("%w (--http2 needs a server that speaks HTTP/2, and RFC 8441)", err)
		}
		return handshake.Result{}, err
	}
	wsconn.New(nc, wsproto.Client, left, res, nil).Close(wsproto.CloseNormal, "")
	return res, nil
}

// fewFailures, or a twentieth of the connections, may fail before the load begins;
// more end the run.
const fewFailures = 50

// Ramp is what Connect does.
type Ramp struct {
	Conns  int        `json:"conns"`   // the first members, this many
	AtOnce int        `json:"at_once"` // this many at a time; 0: 256
	To     load.Stage `json:"to"`
}

// Connect has members come to a stage. It returns when all that it is to bring there are
// there, or have failed.
func (e *Engine) Connect(ctx context.Context, r Ramp) error {
	members := e.Load.Members()
	n := min(r.Conns, len(members))
	width := cmp.Or(r.AtOnce, rampWidth)
	next := e.Load.Reached(r.To)
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := next - 1; ; {
		reached := e.Load.Reached(r.To)
		ready, gone := e.Load.Ready()
		if gone > max(fewFailures, n/20) {
			return fmt.Errorf("%d connections are open, %d could not be made or kept, most of them %s", ready, gone, e.Load.CommonestEnd())
		}
		if reached >= n {
			return nil
		}
		if reached > last {
			last, began = reached, time.Now()
		} else if time.Since(began) > e.target.Timeout+e.plan.Timeout {
			err := fmt.Errorf("%d of %d connections are ready, %d failed, and nothing has happened for %v", ready, n, gone, time.Since(began).Round(time.Second))
			if why := e.Load.Stuck(); why != "" {
				err = fmt.Errorf("%w: %s", err, why)
			}
			return err
		}
		for ; next < n && next-reached < width; next++ {
			e.Load.Connect(members[next], r.To)
		}
		select {
		case <-e.Load.News():
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-e.halted:
			return ErrHalted
		}
	}
}

// ErrHalted says that Halt was called.
var ErrHalted = errors.New("the run was cut short")

// Halt ends Connect, and makes Drain wait only for answers that are about to arrive.
func (e *Engine) Halt() { e.halt.Do(func() { close(e.halted) }) }

// Dial is load.Dialer's.
func (e *Engine) Dial(m *load.Member) {
	e.dials.Add(1)
	go func() {
		defer e.dials.Done()
		if err := e.dial(m); err != nil {
			m.Shard.Refused(m, err)
		}
	}()
}

func (e *Engine) dial(m *load.Member) error {
	ctx, cancel := context.WithTimeout(e.ctx, e.target.Timeout)
	defer cancel()
	if d := e.plan.Dialect; d != nil && d.Token != nil && m.Vars.Token == "" {
		began := Now()
		token, err := e.target.token(ctx, e.http, d.Token, m.ID)
		if err != nil {
			return err
		}
		m.Vars.Token = token
		if m.Shard.Known(m, Now()-began) {
			return nil
		}
	}
	var from netip.Addr
	if len(e.sources) > 0 {
		from = e.sources[int(m.ID)%len(e.sources)]
	}
	var tcp time.Duration
	o, err := e.options(from, func(d time.Duration) { tcp = d })
	if err != nil {
		return err
	}
	m.Shard.Dialing(m)
	nc, left, res, err := e.open(ctx, o)
	if err != nil {
		return e.explain(err)
	}
	e.agreed(res)
	return e.reactors[m.Shard.Index()].adopt(m, nc, left, res, int64(tcp))
}

// open makes one WebSocket.
func (e *Engine) open(ctx context.Context, o *handshake.DialOptions) (nc net.Conn, left []byte, res handshake.Result, err error) {
	if e.http2 == nil {
		return handshake.Dial(ctx, e.target.URL, o)
	}
	s, res, err := handshake.DialHTTP2(ctx, e.http2, e.target.URL, o)
	if err != nil {
		return nil, nil, res, err
	}
	return &stream{ReadWriteCloser: s}, nil, res, nil
}

// explain makes errors of many connections alike, so that they can be counted:
// the local port is left out.
func (e *Engine) explain(err error) error {
	var refused *handshake.Error
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no handshake within %v", e.target.Timeout)
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func (e *Engine) agreed(res handshake.Result) {
	if e.plan.Deflate && res.Deflate == nil {
		e.flat.Add(1)
	}
}

// Uncompressed returns how many connections offered permessage-deflate without success.
func (e *Engine) Uncompressed() int { return int(e.flat.Load()) }

// Start begins the load at a moment of Now.
func (e *Engine) Start(at int64, worker, workers int) {
	e.Load.Start(at, worker, workers)
	for i, s := range e.Load.Shards {
		schedule := s.ScheduleFrom(at, worker*len(e.Load.Shards)+i, workers*len(e.Load.Shards))
		e.reactors[i].pace.start(schedule)
	}
}

// Drain waits until every answer has arrived, or none has arrived for the plan's Timeout:
// so a server that is late but still answering is not cut short.
func (e *Engine) Drain(ctx context.Context, sent map[uint32]uint32) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	least, when := e.Load.Outstanding(sent), time.Now()
	halted, patience := e.halted, e.plan.Timeout
	for left := least; left > 0 && time.Since(when) < patience; left = e.Load.Outstanding(sent) {
		if left < least {
			least, when = left, time.Now()
		}
		select {
		case <-tick.C:
		case <-halted:
			halted, patience, when = nil, min(patience, lastAnswers), time.Now()
		case <-ctx.Done():
			return
		}
	}
}

// lastAnswers is how long a run that is cut short waits for one more answer. Answers that
// arrive by then tell lost messages from unanswered ones.
const lastAnswers = 100 * time.Millisecond

// Close closes all connections, properly if that is possible before ctx ends, and ends
// the loops.
func (e *Engine) Close(ctx context.Context) {
	e.Load.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for open := true; open; {
		ready, gone := e.Load.Ready()
		open = gone < len(e.Load.Members()) && (ready > 0 || e.Load.Outstanding(nil) > 0)
		select {
		case <-tick.C:
		case <-ctx.Done():
			open = false
		}
	}
	e.cancel()
	e.dials.Wait()
	over, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, r := range e.reactors {
		r.stop(over)
	}
	e.http.CloseIdleConnections()
	if e.http2 != nil {
		e.http2.CloseIdleConnections()
	}
}
