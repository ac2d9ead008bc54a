package faulty

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// resetDelay is the time after which an endpoint sends on a stream that was reset, which
// is its defect.
const resetDelay = 50 * time.Millisecond

// goOn ends the peer's side and keeps ours open.
func (s *tunnelStream) goOn() {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.ended, s.window = true, 1<<30
	s.t.cond.Broadcast()
}

// tunnelStream is a stream. It is a net.Conn.
type tunnelStream struct {
	t  *tunnel
	id uint32

	// Guarded by t.mu.
	head   *tunnelHead
	in     []byte
	ended  bool // by the peer
	reset  bool
	sent   bool // END_STREAM
	waits  bool // for a window
	window int64
	owed   uint32 // window that is not given back yet
	readBy time.Time
}

// send writes a header block.
func (s *tunnelStream) send(fields []hpack.HeaderField, end bool) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.t.block.Reset()
	for _, f := range fields {
		s.t.enc.WriteField(f)
	}
	s.sent = s.sent || end
	s.t.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: s.t.block.Bytes(), EndHeaders: true, EndStream: end})
}

// take takes the payload of a DATA frame. t.mu is held.
func (s *tunnelStream) take(f *http2.DataFrame) {
	p := f.Data()
	padding := int(f.Length) - len(p)
	switch {
	case s.t.has("takes padding for data") && padding > 0:
		p = append(bytes.Clone(p), make([]byte, padding-1)...)
	case s.t.has("drops DATA frames of one byte") && len(p) == 1:
		p = nil
	case s.t.has("takes an empty DATA frame for the end") && f.Length == 0:
		s.ended = true
	case s.t.has("takes one frame of each DATA frame"):
		p = p[:min(len(p), firstFrame(p))]
	}
	s.in = append(s.in, p...)
	if s.ended = s.ended || f.StreamEnded() && !s.t.has("ignores END_STREAM"); s.ended {
		return
	}
	if s.owed += f.Length; s.t.has("does not give padding back") {
		s.owed = uint32(len(p))
	}
	if s.owed < tunnelWindow/2 && s.t.has("gives the window back by halves") {
		return
	}
	s.t.credit(s.id, s.owed)
	s.owed = 0
}

// firstFrame is the length of the WebSocket frame at the beginning of p.
func firstFrame(p []byte) int {
	if len(p) < 2 || p[1]&0x7F > 125 {
		return len(p)
	}
	n := 2 + int(p[1]&0x7F)
	if p[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// broken is the reason why nothing more can be read or written. t.mu is held.
func (s *tunnelStream) broken() error {
	switch {
	case s.reset:
		return syscall.ECONNRESET
	case s.t.dead:
		return net.ErrClosed
	}
	return nil
}

func (s *tunnelStream) Read(p []byte) (int, error) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	for {
		switch {
		case len(s.in) > 0:
			n := copy(p, s.in)
			s.in = s.in[n:]
			return n, nil
		case s.ended:
			return 0, io.EOF
		case s.broken() != nil:
			return 0, s.broken()
		case !s.readBy.IsZero() && !time.Now().Before(s.readBy):
			return 0, os.ErrDeadlineExceeded
		}
		s.t.cond.Wait()
	}
}

func (s *tunnelStream) Write(p []byte) (n int, err error) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	for len(p) > 0 {
		for s.room() <= 0 && s.broken() == nil && !s.sent {
			s.waits = true
			s.t.cond.Wait()
			s.waits = false
		}
		if err := s.broken(); err != nil || s.sent {
			return n, net.ErrClosed
		}
		k := min(int64(len(p)), s.room())
		size := k
		if s.t.has("pads its DATA frames") && s.room() > 10 {
			k = min(k, s.room()-10)
			size = k + 10
			s.t.fr.WriteDataPadded(s.id, false, p[:k], make([]byte, 9))
		} else {
			s.t.fr.WriteData(s.id, false, p[:k])
		}
		s.window -= size
		s.t.window -= size
		p = p[k:]
		n += int(k)
	}
	return n, nil
}

// room is how many bytes may be sent in a frame. t.mu is held.
func (s *tunnelStream) room() int64 {
	switch {
	case s.t.has("ignores all windows"):
		return tunnelFrame
	case s.t.has("ignores the window of the stream"):
		return min(tunnelFrame, s.t.window)
	case s.t.has("ignores the window of the connection"):
		return min(tunnelFrame, s.window)
	case s.t.has("sends a byte more than the window"):
		if n := min(s.window, s.t.window); n > 0 {
			return min(tunnelFrame, n+1)
		}
	case s.t.has("sends DATA frames of 20,000 bytes"):
		return min(20000, s.window, s.t.window)
	case s.t.has("sends DATA frames of 100 bytes"):
		return min(100, s.window, s.t.window)
	}
	return min(tunnelFrame, s.window, s.t.window)
}

// CloseWrite ends our side.
func (s *tunnelStream) CloseWrite() error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.end()
	return nil
}

// end sends END_STREAM, or what a defect sends instead. t.mu is held.
func (s *tunnelStream) end() {
	if s.sent || s.broken() != nil {
		return
	}
	switch {
	case s.t.has("leaves the stream open"):
		return
	case s.t.has("resets the stream with INTERNAL_ERROR"):
		s.t.fr.WriteRSTStream(s.id, http2.ErrCodeInternal)
	case s.t.has("resets the stream with CANCEL"):
		s.t.fr.WriteRSTStream(s.id, http2.ErrCodeCancel)
	default:
		s.t.fr.WriteData(s.id, true, nil)
	}
	s.sent = true
	if s.t.has("resets the stream behind END_STREAM") {
		s.t.fr.WriteRSTStream(s.id, http2.ErrCodeInternal)
	}
	if s.t.has("resets the stream with NO_ERROR behind END_STREAM") && !s.ended {
		s.t.fr.WriteRSTStream(s.id, http2.ErrCodeNo)
	}
	if s.t.has("sends DATA behind END_STREAM") {
		s.t.fr.WriteData(s.id, false, []byte("more"))
	}
}

func (s *tunnelStream) Close() error {
	s.CloseWrite()
	return nil
}

// giveUp resets the stream.
func (s *tunnelStream) giveUp(code http2.ErrCode) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.broken() == nil {
		s.t.fr.WriteRSTStream(s.id, code)
	}
	s.reset, s.sent = true, true
	s.t.cond.Broadcast()
}

// await waits for the answer to a request; nil if none arrives in time.
func (s *tunnelStream) await(limit time.Duration) *tunnelHead {
	s.SetReadDeadline(time.Now().Add(limit))
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	for s.head == nil && s.broken() == nil && time.Now().Before(s.readBy) {
		s.t.cond.Wait()
	}
	s.readBy = time.Time{}
	return s.head
}

func (s *tunnelStream) SetReadDeadline(t time.Time) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.readBy = t
	s.t.cond.Broadcast()
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() {
			s.t.mu.Lock()
			defer s.t.mu.Unlock()
			s.t.cond.Broadcast()
		})
	}
	return nil
}

func (s *tunnelStream) SetWriteDeadline(time.Time) error { return nil }
func (s *tunnelStream) SetDeadline(t time.Time) error    { return s.SetReadDeadline(t) }
func (s *tunnelStream) LocalAddr() net.Addr              { return s.t.nc.LocalAddr() }
func (s *tunnelStream) RemoteAddr() net.Addr             { return s.t.nc.RemoteAddr() }
