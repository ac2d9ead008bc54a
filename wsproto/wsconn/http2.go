package wsconn

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/wsproto/internal/pipe"
)

// http2Stream is the net.Conn of a WebSocket on a stream of HTTP/2, which belongs to an
// http.Handler and ends when that returns. After Close has returned, nothing uses the
// handler's request and response any more.
type http2Stream struct {
	// Immutable.
	w       http.ResponseWriter
	control *http.ResponseController
	remote  string
	local   net.Addr
	in      *pipe.Stream // what has been read from the request's body

	mu   sync.Mutex
	idle *sync.Cond // writing is false
	// Guarded by mu.
	writing bool // a Write uses w
	closed  bool
	expired bool        // the write deadline has passed
	timer   *time.Timer // of the write deadline; nil without one
}

// newHTTP2Stream makes a net.Conn of a request that has been answered. The request's
// context ends with the stream.
func newHTTP2Stream(w http.ResponseWriter, r *http.Request) *http2Stream {
	s := &http2Stream{w: w, control: http.NewResponseController(w), remote: r.RemoteAddr, in: pipe.NewStream(readBuffer)}
	s.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	s.idle = sync.NewCond(&s.mu)
	go s.receive(r.Body)
	context.AfterFunc(r.Context(), func() { s.Close() })
	return s
}

// receive reads the body for Read, which must be able to stop at a deadline and to go on
// later: a deadline of the body would end it for good.
func (s *http2Stream) receive(body io.Reader) {
	_, err := io.CopyBuffer(struct{ io.Writer }{s.in}, struct{ io.Reader }{body}, make([]byte, readBuffer))
	if err == nil {
		err = io.EOF
	}
	s.in.CloseWrite(err)
}

func (s *http2Stream) Read(p []byte) (int, error) { return s.in.Read(p) }

func (s *http2Stream) SetReadDeadline(t time.Time) error {
	s.in.SetReadDeadline(t)
	return nil
}

func (s *http2Stream) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	closed, expired := s.closed, s.expired
	s.writing = !closed && !expired
	s.mu.Unlock()
	switch {
	case closed:
		return 0, net.ErrClosed
	case expired:
		return 0, os.ErrDeadlineExceeded
	}
	defer func() {
		// net/http panics if the handler has returned without closing the connection.
		if recover() != nil {
			err = net.ErrClosed
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writing = false
		s.idle.Broadcast()
		if err != nil && s.expired {
			err = os.ErrDeadlineExceeded
		}
	}()
	if n, err = s.w.Write(p); err == nil {
		err = s.control.Flush()
	}
	return n, err
}

// SetWriteDeadline, when it passes, resets the stream if a Write is in progress.
func (s *http2Stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	s.expired = false
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		s.expire()
	default:
		var timer *time.Timer
		timer = time.AfterFunc(left, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.timer == timer {
				s.expire()
			}
		})
		s.timer = timer
	}
	return nil
}

// expire ends a Write in progress, and those that follow. mu is held.
func (s *http2Stream) expire() {
	s.expired = true
	s.reset()
}

// reset resets the stream if a Write is in progress. mu is held.
func (s *http2Stream) reset() {
	if s.writing {
		s.control.SetWriteDeadline(time.Unix(1, 0))
	}
}

func (s *http2Stream) SetDeadline(t time.Time) error {
	s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// Close ends the use of the stream. The stream itself ends when the handler returns.
func (s *http2Stream) Close() error {
	s.in.CloseRead()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.reset()
	}
	for s.writing {
		s.idle.Wait()
	}
	return nil
}

func (s *http2Stream) LocalAddr() net.Addr { return s.local }

func (s *http2Stream) RemoteAddr() net.Addr {
	addr, err := netip.ParseAddrPort(s.remote)
	if err != nil {
		return nil
	}
	return net.TCPAddrFromAddrPort(addr)
}
