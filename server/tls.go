package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
)

// TLS on a loop is crypto/tls over a socket (adoptable.go). net/http, or what else accepted
// the connection, does the handshake on its goroutine, over the real connection.

// newTLSListener returns a listener of TLS connections over those that ln accepts. HTTP/2
// is offered if cfg offers it and there are requests that can use it.
func newTLSListener(ln *listener, cfg *tls.Config, http2 bool) net.Listener {
	cfg = cfg.Clone()
	if !http2 || !slices.Contains(cfg.NextProtos, "h2") {
		cfg.NextProtos = []string{"http/1.1"} // RFC 6455 needs HTTP/1.1; net/http would offer h2
	}
	if cfg.MinVersion < tls.VersionTLS12 {
		cfg.MinVersion = tls.VersionTLS12
	}
	return &tlsListener{ln, cfg}
}

type tlsListener struct {
	*listener
	cfg *tls.Config
}

func (ln *tlsListener) Accept() (net.Conn, error) {
	nc, err := ln.listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(&socket{Conn: nc}, ln.cfg), nil
}

// acceptedOf returns the accepted under a connection of one of our listeners, or nil.
func acceptedOf(nc net.Conn) *accepted {
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	switch nc := nc.(type) {
	case *accepted:
		return nc
	case *socket:
		a, _ := nc.Conn.(*accepted) // nil on a loop
		return a
	}
	return nil
}

// tlsState is the TLS of a connection on a loop.
type tlsState struct {
	conn    *tls.Conn
	sock    *socket
	answers int // bytes in sock.out that TLS itself sent, at least
	counted int // bytes of sock.out that are counted as queued
}

const (
	// tlsTurn is how many bytes of plaintext are taken from one connection in a turn.
	tlsTurn = 64 << 10

	// tlsRecordCost is the least that a record counts as, because decrypting one takes
	// time even if it holds a single byte.
	tlsRecordCost = 256
)

// maxTLSAnswers is the maximum number of bytes that TLS itself may send, mostly in answer to
// key updates, while the peer does not read. No honest peer needs a hundredth of it.
const maxTLSAnswers = 4 << 10

var errTLSAnswers = errors.New("too many TLS key updates whose answers are not read")

// readableTLS decrypts what has arrived. A tls.Conn may hold records that the kernel
// cannot see, so it is read until it has nothing more or the connection's turn is over;
// then it gets another turn in the next iteration.
func (l *loop) readableTLS(c *conn) {
	for taken := 0; taken < tlsTurn; {
		waiting := len(c.tls.sock.out)
		n, err := c.tls.conn.Read(l.input)
		if answer := len(c.tls.sock.out) - waiting; answer > 0 {
			// TLS itself wants to send something: a key update, an alert.
			l.outboxOf(c)
			l.markDirty(c)
			if c.tls.answers += answer; c.tls.answers > maxTLSAnswers {
				l.lost(c, errTLSAnswers)
				return
			}
		}
		if n > 0 {
			taken += max(n, tlsRecordCost)
			l.arrived(c, l.input[:n])
		}
		switch {
		case c.phase == gone:
			return
		case err == wouldBlock{}:
			return
		case err == io.EOF:
			l.eof(c)
			return
		case err != nil:
			l.write(c) // the alert, if the kernel takes it
			l.lost(c, err)
			return
		case c.has(flagPaused):
			// It may be resumed before the iteration ends. Then the kernel's
			// interest does not change, and nothing would report what the
			// tls.Conn holds.
			l.queueTurn(c)
			return
		}
	}
	l.queueTurn(c)
}

// writeTLS encrypts the outbox piece by piece: the next one when the kernel has taken
// the previous one's ciphertext.
func (l *loop) writeTLS(c *conn) error {
	o, s := c.out, c.tls.sock
	for {
		for len(s.out) > 0 {
			n, err := l.k.write(int(c.fd), s.out)
			if err == syscall.EINTR {
				continue
			}
			if err != nil && err != syscall.EAGAIN {
				s.out = nil // it may be in the loop's buffer
				return err
			}
			if n > 0 {
				o.lastProgress = l.now
			}
			if n < len(s.out) {
				// The rest must not stay in the loop's buffer.
				s.out = append([]byte(nil), s.out[n:]...)
				c.flags |= flagBlocked
				return nil
			}
			s.out, c.tls.answers = nil, 0
		}
		if o.bytes == 0 {
			l.dropOutbox(c)
			return nil
		}
		plain := l.scratch[:0]
		for _, seg := range o.segs[o.head:] {
			n := min(len(seg.b), cap(plain)-len(plain))
			plain = append(plain, seg.b[:n]...)
			if n < len(seg.b) {
				break
			}
		}
		s.out = l.cipher[:0]
		if _, err := c.tls.conn.Write(plain); err != nil {
			return err
		}
		l.cipher = s.out[:0]
		l.wrote(o, len(plain))
	}
}

// countCiphertext counts n bytes of ciphertext as queued.
func (l *loop) countCiphertext(c *conn, n int) {
	l.traffic[queued] += uint64(n) - uint64(c.tls.counted)
	c.tls.counted = n
}

// notifyEnd sends close_notify (RFC 8446 §6.1). It reports whether the kernel has taken
// it; if not, it is called again when the queue is empty.
func (l *loop) notifyEnd(c *conn) bool {
	if c.has(flagNotified) {
		return true
	}
	c.flags |= flagNotified
	c.tls.conn.CloseWrite() // only collects ciphertext and cannot fail; write can
	l.outboxOf(c)
	if err := l.write(c); err != nil {
		l.lost(c, err)
		return false
	}
	return c.out == nil
}
