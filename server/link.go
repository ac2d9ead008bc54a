package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/hawser-ws/hawser/handshake"
)

// link is one connection of the portable kernel: what its goroutines have read but not
// yet handed over, and what they have yet to write. Both are bounded.
type link struct {
	// Immutable.
	k        *portable
	nc       net.Conn
	mayBlock bool // what ends nc may take its time, as TLS does that sends an alert

	// Guarded by k.mu.
	in        []byte    // a part of the reader's buffer; the reader waits until it is consumed
	ahead     bool      // in is not a part of that buffer, and the reader reads on
	inErr     error     // how reading ended, after in; io.EOF is the end of the stream
	consumed  sync.Cond // in is empty again, the mask has changed, or the link is closed
	out       []byte    // to be written
	outErr    error     // how writing failed
	writing   bool      // there is a writer
	shut      bool      // nothing more is written after out
	closed    bool
	queued    bool // is in k.ready
	mask      uint8
	slot, gen uint32
}

const (
	smallInput = 4 << 10  // the initial read buffer; it grows up to inputSize while much comes
	maxOutput  = 64 << 10 // bytes that wait in out
)

// ready returns what wait has to report.
func (c *link) ready() (ready uint8) {
	if c.mask&wantRead != 0 && (len(c.in) > 0 || c.inErr != nil) {
		ready |= canRead
	}
	// At half of it, as kernels do it, so that the loop is not woken for a few bytes.
	if c.mask&wantWrite != 0 && (len(c.out) <= maxOutput/2 || c.outErr != nil) {
		ready |= canWrite
	}
	if c.inErr != nil && (c.inErr != io.EOF || c.shut || c.outErr != nil || c.mask&wantEnd != 0) {
		ready |= hungUp
	}
	return ready
}

// read behaves like read(2).
func (c *link) read(p []byte) (int, error) {
	if len(c.in) > 0 {
		n := copy(p, c.in)
		c.in = c.in[n:]
		if len(c.in) == 0 {
			c.in, c.ahead = nil, false
			c.consumed.Signal()
		}
		return n, nil
	}
	switch c.inErr {
	case nil:
		return 0, syscall.EAGAIN
	case io.EOF:
		return 0, nil
	}
	return 0, c.inErr
}

// write behaves like write(2).
func (c *link) write(p []byte) (int, error) {
	if c.outErr != nil {
		return 0, c.outErr
	}
	if c.shut {
		return 0, syscall.EPIPE
	}
	n := min(len(p), maxOutput-len(c.out))
	if n == 0 {
		return 0, syscall.EAGAIN
	}
	c.out = append(c.out, p[:n]...)
	if !c.writing {
		c.writing = true
		c.k.running.Go(c.writeAll)
	}
	return n, nil
}

// readAll is the reader's goroutine.
func (c *link) readAll() {
	small := make([]byte, smallInput)
	for buf := small; ; {
		n, err := c.nc.Read(buf)
		if !c.arrived(buf[:n], err) {
			return
		}
		switch {
		case n == len(buf) && n < inputSize:
			buf = make([]byte, 2*n)
		case n < len(buf)/16:
			buf = small
		}
	}
}

// arrived hands over what was read, and waits until it has been consumed. It reports
// whether to read on.
func (c *link) arrived(p []byte, err error) bool {
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	if c.closed {
		return false
	}
	if c.ahead {
		c.in = append(c.in, p...)
	} else {
		c.in = p
	}
	if err != nil {
		c.inErr = errno(err)
		if errors.Is(err, net.ErrClosed) {
			c.inErr = io.EOF // closeWrite closed it
		}
	}
	c.k.notify(c)
	for err == nil && len(c.in) > 0 && !c.closed {
		if c.mask&wantEnd != 0 && len(c.in) < inputSize {
			if !c.ahead { // the reader uses its buffer again
				c.in, c.ahead = bytes.Clone(c.in), true
			}
			return true
		}
		c.consumed.Wait()
	}
	return err == nil && !c.closed
}

// writeAll is the writer's goroutine: it ends when everything is written.
func (c *link) writeAll() {
	k := c.k
	var spare []byte
	k.mu.Lock()
	for len(c.out) > 0 && c.outErr == nil {
		p := c.out
		c.out = spare[:0]
		k.mu.Unlock()
		_, err := c.nc.Write(p)
		spare = p
		k.mu.Lock()
		c.outErr = errno(err)
		k.notify(c)
	}
	c.out = nil
	c.writing = false
	shut, closed := c.shut, c.closed
	delete(k.draining, c)
	k.mu.Unlock()
	if shut {
		c.closeWrite() // if it fails, so does reading
	}
	if closed {
		c.hangUp()
	}
}

// hangUp closes the connection, without a last word of TLS: closeWrite said that.
func (c *link) hangUp() { handshake.CloseNow(c.nc) }

// closeWrite closes the write side or, if nc cannot do that, the connection.
func (c *link) closeWrite() error {
	nc := c.nc
	if a, ok := nc.(*accepted); ok {
		nc = a.Conn
	}
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.nc.Close()
}

// errno returns the syscall.Errno in err if there is one, otherwise err.
func errno(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
