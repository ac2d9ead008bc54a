package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// portable is the kernel for systems without one of their own: goroutines read and
// write net.Conns (link.go), and wait collects what they report the way epoll does. A
// connection costs a goroutine and 4 KiB for reading and, while something waits to be
// written, another goroutine.
type portable struct {
	running sync.WaitGroup // goroutines of the links
	signal  chan struct{}  // ends the sleep of wait; sent only while it sleeps
	host    kernel         // the one that sleeps instead (kernel_bridge.go), or nil

	mu       sync.Mutex
	links    []*link            // Guarded by mu. By descriptor; nil where one is free.
	free     []int              // Guarded by mu. Descriptors to use again.
	ready    []*link            // Guarded by mu. Those that may have something to report.
	draining map[*link]struct{} // Guarded by mu. Closed, with bytes still to be written.
	asleep   bool               // Guarded by mu. wait sleeps.
	woken    bool               // Guarded by mu. wake was called since wait last returned.

	// Loop only.
	timer  *time.Timer
	events []event
}

const (
	// drainTimeout is how long after close the rest of what was written may take to go
	// out, and releaseTimeout how long it may after release.
	drainTimeout   = 5 * time.Second
	releaseTimeout = time.Second
)

func newPortable() kernel {
	k := &portable{signal: make(chan struct{}, 1), draining: map[*link]struct{}{}, timer: time.NewTimer(time.Hour)}
	k.timer.Stop()
	return k
}

func (k *portable) attach(nc net.Conn) (fd int, err error) {
	if err := nc.SetDeadline(time.Time{}); errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		nc.Close()
		return 0, fmt.Errorf("server: adopt: %w", err)
	}
	c := &link{k: k, nc: nc, mayBlock: !hasDescriptor(nc)}
	c.consumed.L = &k.mu
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.free); n > 0 {
		fd = k.free[n-1]
		k.free = k.free[:n-1]
		k.links[fd] = c
		return fd, nil
	}
	k.links = append(k.links, c)
	return len(k.links) - 1, nil
}

// lockLink locks mu, and returns the link of a descriptor or nil if it is closed.
func (k *portable) lockLink(fd int) *link {
	k.mu.Lock()
	if fd < 0 || fd >= len(k.links) {
		return nil
	}
	return k.links[fd]
}

func (k *portable) add(fd int, mask uint8, slot, gen uint32) error {
	c := k.lockLink(fd)
	defer k.mu.Unlock()
	if c == nil {
		return syscall.EBADF
	}
	c.slot, c.gen, c.mask = slot, gen, mask
	k.running.Go(c.readAll)
	return nil
}

func (k *portable) native() bool        { return false }
func (k *portable) remove(fd int) error { return syscall.ENOTSUP }

func (k *portable) mod(fd int, mask uint8, slot, gen uint32) error {
	c := k.lockLink(fd)
	defer k.mu.Unlock()
	if c == nil {
		return syscall.EBADF
	}
	c.slot, c.gen, c.mask = slot, gen, mask
	c.consumed.Signal() // the end of the stream may be asked for, and lie beyond what was read
	k.notify(c)
	return nil
}

// notify makes wait report c, if c has something to report. Called with mu held.
func (k *portable) notify(c *link) {
	if c.closed || c.ready() == 0 {
		return
	}
	if !c.queued {
		c.queued = true
		k.ready = append(k.ready, c)
	}
	k.rouse()
}

func (k *portable) rouse() {
	if !k.asleep {
		return
	}
	k.asleep = false
	if k.host != nil {
		k.host.wake()
	} else {
		k.signal <- struct{}{}
	}
}

func (k *portable) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.woken = true
	k.rouse()
}

func (k *portable) wait(ms int) ([]event, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gather()
	if len(k.events) == 0 && !k.woken && ms != 0 {
		k.sleep(ms)
		k.gather()
	}
	k.woken = false
	return k.events, nil
}

// sleep unlocks mu until there is something to do or ms milliseconds have passed.
func (k *portable) sleep(ms int) {
	k.asleep = true
	k.mu.Unlock()
	var timeout <-chan time.Time
	if ms > 0 {
		k.timer.Reset(time.Duration(ms) * time.Millisecond)
		timeout = k.timer.C
	}
	select {
	case <-k.signal:
		k.timer.Stop()
		k.mu.Lock()
	case <-timeout:
		k.mu.Lock()
		if !k.asleep {
			<-k.signal // both came
		}
		k.asleep = false
	}
}

// gather collects the events. A link with an event stays in the list, so that it is
// reported again until its event has been handled.
func (k *portable) gather() {
	k.events = k.events[:0]
	still := k.ready[:0]
	for _, c := range k.ready {
		if c.closed {
			continue
		}
		ready := c.ready()
		if ready == 0 {
			c.queued = false
			continue
		}
		still = append(still, c)
		k.events = append(k.events, event{ready, c.slot, c.gen})
	}
	clear(k.ready[len(still):])
	k.ready = still
}

func (k *portable) read(fd int, p []byte) (int, error) {
	c := k.lockLink(fd)
	defer k.mu.Unlock()
	if c == nil {
		return 0, syscall.EBADF
	}
	return c.read(p)
}

func (k *portable) write(fd int, p []byte) (int, error) {
	c := k.lockLink(fd)
	defer k.mu.Unlock()
	if c == nil {
		return 0, syscall.EBADF
	}
	return c.write(p)
}

func (k *portable) writev(fd int, p [][]byte) (n int, err error) {
	c := k.lockLink(fd)
	defer k.mu.Unlock()
	if c == nil {
		return 0, syscall.EBADF
	}
	for _, b := range p {
		took, err := c.write(b)
		n += took
		if err != nil && n == 0 {
			return 0, err
		}
		if took < len(b) {
			break
		}
	}
	return n, nil
}

func (k *portable) shutdown(fd int) error {
	c := k.lockLink(fd)
	if c == nil {
		k.mu.Unlock()
		return syscall.EBADF
	}
	c.shut = true
	k.notify(c)
	last := c.writing
	if c.mayBlock && !last {
		last, c.writing = true, true
		k.running.Go(c.writeAll) // there is nothing to write but the end
	}
	k.mu.Unlock()
	if last {
		return nil // the writer does it when it is done
	}
	return errno(c.closeWrite())
}

func (k *portable) close(fd int) error {
	c := k.lockLink(fd)
	if c == nil {
		k.mu.Unlock()
		return syscall.EBADF
	}
	k.links[fd] = nil
	k.free = append(k.free, fd)
	c.closed = true
	c.consumed.Signal()
	if c.writing && c.nc.SetWriteDeadline(time.Now().Add(drainTimeout)) == nil {
		k.draining[c] = struct{}{} // the writer closes it when it is done
		k.mu.Unlock()
		return nil
	}
	if c.mayBlock {
		k.running.Go(c.hangUp)
		k.mu.Unlock()
		return nil
	}
	k.mu.Unlock()
	return c.nc.Close()
}

func (k *portable) peer(fd int) netip.AddrPort {
	c := k.lockLink(fd)
	defer k.mu.Unlock()
	if c == nil {
		return netip.AddrPort{}
	}
	return addrPort(c.nc.RemoteAddr())
}

// release waits until the links' goroutines have ended.
func (k *portable) release() {
	k.mu.Lock()
	for c := range k.draining {
		c.nc.SetWriteDeadline(time.Now().Add(releaseTimeout))
	}
	k.mu.Unlock()
	k.running.Wait()
}
