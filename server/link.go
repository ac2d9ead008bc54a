package server

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// link is one connection of the portable kernel: what its goroutines have read
// and not yet handed over, and what they have still to write. Both are bounded.
type link struct {
	// Immutable.
	k  *portable
	nc net.Conn

	// Guarded by k.mu.
	in        []byte    // in the reader's buffer, which waits until it is taken
	inErr     error     // how reading ended, behind in; io.EOF is the end of the stream
	taken     sync.Cond // in is empty again, or the link closed
	out       []byte    // to be written
	outErr    error     // how writing failed
	writing   bool      // there is a writer
	shut      bool      // nothing more is written behind out
	closed    bool
	queued    bool // stands in k.ready
	mask      uint8
	slot, gen uint32
}

const (
	smallInput = 4 << 10  // what is read at a time while little comes; then up to inputSize
	maxOutput  = 64 << 10 // bytes that wait in out
)

// ready returns what wait has to report.
func (c *link) ready() (ready uint8) {
	if c.mask&wantRead != 0 && (len(c.in) > 0 || c.inErr != nil) {
		ready |= canRead
	}
	// Half of it, as kernels do, so that the loop is not woken for crumbs.
	if c.mask&wantWrite != 0 && (len(c.out) <= maxOutput/2 || c.outErr != nil) {
		ready |= canWrite
	}
	if c.inErr != nil && (c.inErr != io.EOF || c.shut || c.outErr != nil) {
		ready |= hungUp
	}
	return ready
}

// take is read(2).
func (c *link) take(p []byte) (int, error) {
	if len(c.in) > 0 {
		n := copy(p, c.in)
		c.in = c.in[n:]
		if len(c.in) == 0 {
			c.in = nil
			c.taken.Signal()
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

// put is write(2).
func (c *link) put(p []byte) (int, error) {
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

// readAll is the reader.
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

// arrived hands over what was read, and waits until it has been taken. It
// reports whether to read on.
func (c *link) arrived(p []byte, err error) bool {
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	if c.closed {
		return false
	}
	c.in = p
	if err != nil {
		c.inErr = errno(err)
		if errors.Is(err, net.ErrClosed) {
			c.inErr = io.EOF // by closeWrite
		}
	}
	c.k.notify(c)
	for err == nil && len(c.in) > 0 && !c.closed {
		c.taken.Wait()
	}
	return err == nil && !c.closed
}

// writeAll is the writer: it ends when everything is written.
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
	delete(k.lingering, c)
	k.mu.Unlock()
	if shut {
		c.closeWrite() // it fails where reading does
	}
	if closed {
		c.nc.Close()
	}
}

// closeWrite ends the sending half, or, where a connection has no halves, all.
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

// errno returns the system's number for an error, if it has one.
func errno(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
