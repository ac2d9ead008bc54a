package h2

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

var errTimeout = os.ErrDeadlineExceeded

// ResetError is the end of a stream that the peer has reset.
type ResetError struct{ Code http2.ErrCode }

func (e *ResetError) Error() string { return "RST_STREAM with " + e.Code.String() }

// Is makes it equal to a reset of TCP.
func (e *ResetError) Is(target error) bool { return target == syscall.ECONNRESET }

// Stream is one end of a stream. It is a net.Conn.
type Stream struct {
	// Immutable.
	c  *Conn
	id uint32

	// Guarded by c.mu.
	head      *wire.Head // the peer's
	buf       []byte     // received, and not read
	ended     bool       // by the peer's END_STREAM
	reset     *ResetError
	received  int64 // bytes of DATA
	allowed   int64 // what may be received
	held      bool  // no window updates
	owed      int64 // read while they were held
	window    int64 // what may be sent
	pad       int
	sentEnd   bool
	sentReset bool
	settled   bool // the peer knows of our reset
	closed    bool
	readBy    time.Time
	writeBy   time.Time
}

// newStream is a stream that has just been opened. mu is held.
func (c *Conn) newStream(id uint32) *Stream {
	s := &Stream{c: c, id: id, allowed: c.ours, window: c.initial}
	c.streams[id] = s
	return s
}

// Open opens a stream, as a client, and sends a request. split is how many bytes of the
// header block each frame has; 0: as many as fit. end ends our side at once.
func (c *Conn) Open(fields []wire.Field, split int, end bool) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.newStream(c.nextID)
	c.nextID += 2
	s.sendHead(fields, split, end)
	return s
}

// Respond sends the answer to a request, as a server.
func (s *Stream) Respond(fields []wire.Field, end bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.sendHead(fields, 0, end)
}

// sendHead sends a header block. mu is held.
func (s *Stream) sendHead(fields []wire.Field, split int, end bool) {
	c := s.c
	if s.reset != nil || s.sentEnd {
		return
	}
	c.block.Reset()
	for _, f := range fields {
		c.enc.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value})
	}
	block := c.block.Bytes()
	if split <= 0 {
		split = maxFrame
	}
	c.log(true, "HEADERS, stream %d%s", s.id, ending(end))
	n := min(split, len(block))
	c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: block[:n], EndStream: end, EndHeaders: n == len(block)})
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(split, len(block))
		c.fr.WriteContinuation(s.id, n == len(block), block[:n])
	}
	s.sentEnd = end
	c.cond.Broadcast()
}

func ending(end bool) string {
	if end {
		return ", END_STREAM"
	}
	return ""
}

// AwaitHead waits for the peer's header block.
func (s *Stream) AwaitHead() (*wire.Head, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for {
		switch {
		case s.head != nil:
			return s.head, nil
		case s.reset != nil:
			return nil, s.reset
		case s.c.err != nil:
			return nil, s.c.lastWords()
		case s.c.goAway != nil && s.c.goAway.Code != http2.ErrCodeNo:
			return nil, s.c.goAway
		case passed(s.readBy):
			return nil, errTimeout
		}
		s.c.cond.Wait()
	}
}

// lastWords is the reason why a connection ended. mu is held.
func (c *Conn) lastWords() error {
	if c.goAway != nil && c.violation == nil {
		return c.goAway
	}
	return c.err
}

// headers takes a header block of the peer's. mu is held.
func (s *Stream) headers(h *wire.Head, ended bool) error {
	switch {
	case s.ended:
		return violatef("a HEADERS frame behind END_STREAM, on stream %d", s.id)
	case s.sentReset:
		return nil
	case s.head != nil && !ended:
		return violatef("a second header block on stream %d", s.id)
	case s.head != nil:
		// RFC 9113 §8.5: "Frame types other than DATA or stream management frames [...]
		// MUST NOT be sent on a connected stream".
		return violatef("a header block behind the DATA of stream %d", s.id)
	}
	if status := h.Get(":status"); len(status) == 3 && status[0] == '1' && status != "101" && s.c.cfg.Client && !ended {
		return nil
	}
	s.c.log(false, "HEADERS, stream %d%s", s.id, ending(ended))
	s.head, s.ended = h, ended
	return nil
}

// data takes the payload of a DATA frame of n bytes. mu is held.
func (s *Stream) data(p []byte, n int64, ended bool) error {
	switch {
	case s.ended:
		return violatef("a DATA frame behind END_STREAM, on stream %d", s.id)
	case s.reset != nil && !s.sentReset:
		return violatef("a DATA frame behind RST_STREAM, on stream %d", s.id)
	case s.settled:
		return violatef("a DATA frame on stream %d, which was reset before", s.id)
	case s.head == nil:
		return violatef("a DATA frame before HEADERS, on stream %d", s.id)
	}
	s.received += n
	if s.allowed -= n; s.allowed < 0 {
		return violatef("DATA of %d bytes, %d more than the window of stream %d", n, -s.allowed, s.id)
	}
	s.ended = ended
	if ended {
		s.c.log(false, "DATA, %d bytes, stream %d, END_STREAM", len(p), s.id)
	}
	if s.sentReset {
		return nil
	}
	if s.closed {
		s.credit(n)
		return nil
	}
	s.buf = append(s.buf, p...)
	s.credit(n - int64(len(p))) // padding is never read
	return nil
}

// credit lets the peer send n bytes more, unless window updates are held. mu is held.
func (s *Stream) credit(n int64) {
	switch {
	case n == 0 || s.ended || s.sentReset || s.reset != nil:
	case s.held:
		s.owed += n
	default:
		s.allowed += n
		s.c.fr.WriteWindowUpdate(s.id, uint32(n))
		s.c.cond.Broadcast()
	}
}

// wasReset takes the peer's RST_STREAM. mu is held.
func (s *Stream) wasReset(code http2.ErrCode) {
	if s.reset == nil {
		s.reset = &ResetError{code}
	}
}

// Hold stops window updates until Release.
func (s *Stream) Hold() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.held = true
}

// Grant lets the peer send n bytes more.
func (s *Stream) Grant(n uint32) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.allowed += int64(n)
	s.owed -= int64(n)
	s.c.log(true, "WINDOW_UPDATE, stream %d, %d", s.id, n)
	s.c.fr.WriteWindowUpdate(s.id, n)
	s.c.cond.Broadcast()
}

// Release sends the window updates that were held, and those to come.
func (s *Stream) Release() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.held = false
	owed := s.owed
	s.owed = 0
	if owed > 0 {
		s.c.log(true, "WINDOW_UPDATE, stream %d, %d", s.id, owed)
		s.credit(owed)
	}
}

// Pad pads every further DATA frame with n bytes, at most 255.
func (s *Stream) Pad(n int) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.pad = n
}

// Received is how many bytes of DATA have arrived, padding included.
func (s *Stream) Received() int64 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.received
}

// Ended reports whether the peer has ended its side properly, and with which error it has
// reset the stream; nil for none.
func (s *Stream) Ended() (ended bool, reset *ResetError) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.ended, s.reset
}

// AwaitEnd waits for the peer's end of the stream, or of the connection.
func (s *Stream) AwaitEnd(deadline time.Time) bool {
	timer := time.AfterFunc(time.Until(deadline), s.c.wake)
	defer timer.Stop()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for !s.ended && s.reset == nil && s.c.err == nil && time.Now().Before(deadline) {
		s.c.cond.Wait()
	}
	return s.ended || s.reset != nil || s.c.err != nil
}

// ID is the stream's number.
func (s *Stream) ID() uint32 { return s.id }

// Conn is the stream's connection.
func (s *Stream) Conn() *Conn { return s.c }

// Head is the peer's header block; nil before it has arrived.
func (s *Stream) Head() *wire.Head {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.head
}

// Reset resets the stream. What the peer sends before it knows is discarded.
func (s *Stream) Reset(code http2.ErrCode) {
	s.c.mu.Lock()
	if s.sentReset || s.reset != nil {
		s.c.mu.Unlock()
		return
	}
	s.sentReset, s.sentEnd = true, true
	s.c.log(true, "RST_STREAM, stream %d, %v", s.id, code)
	s.c.fr.WriteRSTStream(s.id, code)
	s.c.cond.Broadcast()
	s.c.mu.Unlock()
	s.c.Ping(func() {
		s.c.mu.Lock()
		defer s.c.mu.Unlock()
		s.settled = true
	})
}
