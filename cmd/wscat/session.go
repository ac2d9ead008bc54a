package main

import (
	"context"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/wscat/internal/trace"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// maxUnwritten is how many bytes of answers may wait to be written before reading stops,
// so that a peer that only pings cannot fill the memory.
const maxUnwritten = 1 << 20

// session is one connection from its handshake to its end. To send something, a goroutine
// appends its frames to out, with mu held; only run's goroutine writes out to the
// connection. So the order on the wire is the order in which the protocol made the frames.
type session struct {
	// Immutable.
	o      *options
	nc     net.Conn
	screen *screen
	wake   chan struct{} // holds a token when the reader put something into out
	heard  chan struct{} // holds a token when a message, or a part of one, has come

	limit sync.Once // see bound

	// Writer only.
	sent     *trace.Frames // nil without --hex
	broken   bool          // writing failed; further output is discarded
	inputErr error
	quiet    *time.Timer // --wait, once the input has ended; nil: not waiting
	gaveUp   bool        // --wait has passed

	// Reader only.
	received *trace.Frames // nil without --hex

	mu   sync.Mutex
	room sync.Cond // on mu: out was taken

	// Guarded by mu.
	proto     wsproto.Conn
	out       []byte // framed and not yet written
	trips     roundTrips
	hungUp    bool // this side began to close
	failed    bool // the peer violated the protocol
	inputDone bool
	shown     bool // a message has been shown
	holds     bool // out holds a message of the input
	unsent    bool // not all of the input was sent, and this side did not end it
}

func newSession(o *options, nc net.Conn, scr *screen) *session {
	s := &session{o: o, nc: nc, screen: scr, wake: make(chan struct{}, 1), heard: make(chan struct{}, 1)}
	s.room.L = &s.mu
	s.proto.Init(&wsproto.Config{
		Role:         wsproto.Client,
		MaxMessage:   o.maxMessage,
		MaxFragments: -1, // maxMessage limits their total size
		MaskKey:      wsconn.MaskKey,
	})
	if o.hex {
		s.sent = trace.NewFrames(">", math.MaxInt) // its input is in memory already
		s.received = trace.NewFrames("<", o.maxMessage)
	}
	return s
}

// run runs the session and returns the exit status. After ctx is done, the session ends
// within the close timeout. left is the input that arrived with the handshake.
func (s *session) run(ctx context.Context, stdin io.Reader, left []byte) int {
	defer s.nc.Close()
	done := make(chan struct{})
	defer close(done)
	inputs := make(chan input)
	go readInput(stdin, s.o, inputs, done)
	ended := make(chan ending, 1)
	go func() { ended <- s.receive(left) }()
	// A write that is blocked by the peer must not delay Ctrl-C.
	stop := context.AfterFunc(ctx, s.bound)
	defer stop()
	status := make(chan int, 1)
	go func() { status <- s.conclude(s.send(ctx, inputs, ended)) }()
	return s.await(ctx, status)
}

// send writes to the connection until it has ended.
func (s *session) send(ctx context.Context, inputs <-chan input, ended <-chan ending) ending {
	var ticks <-chan time.Time
	if s.o.ping > 0 {
		ticker := time.NewTicker(s.o.ping)
		defer ticker.Stop()
		ticks = ticker.C
	}
	interrupted := ctx.Done()
	for {
		select {
		case in, ok := <-inputs:
			switch {
			case !ok:
				inputs = nil
				s.endInput()
			case in.err != nil:
				inputs = nil
				s.inputErr = in.err
				s.hangUp()
			case s.message(in.message) != nil:
				inputs = nil // the connection is closing
			}
		case <-ticks:
			s.ping()
		case <-interrupted:
			interrupted, inputs = nil, nil
			s.screen.notice("interrupted, closing")
			s.hangUp()
		case <-s.heard:
			s.beginWait()
		case <-s.waited():
			s.endWait()
		case <-s.wake:
		case e := <-ended:
			s.lookBack(inputs)
			return e
		}
		s.flush()
	}
}

// message frames one message of the input. The error is wsproto.ErrClosed.
func (s *session) message(p []byte) (err error) {
	op := frame.Text
	if s.o.binary {
		op = frame.Binary
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, err = s.proto.AppendMessage(s.out, op, p)
	s.holds = s.holds || err == nil
	s.unsent = s.unsent || err != nil && !s.hungUp
	return err
}

// ping frames a ping, unless the connection is closing.
func (s *session) ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proto.CloseExpected() {
		s.out, _ = s.proto.AppendPing(s.out, s.trips.ping(time.Now()))
	}
}

// hangUp begins to close, unless the connection is closing already. Any
// goroutine may call it.
func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.proto.AppendClose(s.out, s.o.closeCode, s.o.closeReason)
	if err != nil {
		return // the options are checked: it is wsproto.ErrClosed
	}
	s.out, s.hungUp = out, true
	s.notify()
}

// notify tells the writer that there is something in out.
func (s *session) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// flush writes what is framed.
func (s *session) flush() {
	s.mu.Lock()
	out, holds := s.out, s.holds
	s.out, s.holds = nil, false
	closing, failed := s.proto.CloseExpected(), s.failed
	s.room.Broadcast()
	s.mu.Unlock()

	if len(out) > 0 && !s.broken {
		if s.sent != nil && s.screen.write(s.sent.Append(nil, out)) != nil {
			s.hangUp()
		}
		if _, err := s.nc.Write(out); err != nil {
			// The reader may still find a Close with a reason, or a better error.
			s.broken = true
		}
	}
	if holds && s.broken {
		s.mu.Lock()
		s.unsent = s.unsent || !s.hungUp
		s.mu.Unlock()
	}
	if failed {
		// 7.1.7. Closing at once, with unread input, would make the kernel discard
		// the Close frame.
		if half, ok := s.nc.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	}
	if closing || s.broken {
		s.bound()
	}
}

// bound gives the connection the close timeout to end, counted from the first
// call. Any goroutine may call it.
func (s *session) bound() {
	s.limit.Do(func() { s.nc.SetDeadline(time.Now().Add(s.o.closeTimeout)) })
}
