package server

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// portable is the kernel for systems without one of ours: goroutines that read
// and write net.Conns (link.go), and wait, which gathers what they report the
// way epoll does. A connection costs a goroutine and 4 KiB for reading and,
// while something waits to be written, another one.
type portable struct {
	running sync.WaitGroup // goroutines of the links
	signal  chan struct{}  // ends the sleep of wait; sent only to who sleeps

	mu        sync.Mutex
	links     []*link            // Guarded by mu. By descriptor; nil where one is free.
	free      []int              // Guarded by mu. Descriptors to use again.
	ready     []*link            // Guarded by mu. Those that may have something to report.
	lingering map[*link]struct{} // Guarded by mu. Closed, with bytes still to be written.
	asleep    bool               // Guarded by mu.
	woken     bool               // Guarded by mu. By wake, since wait last returned.

	// Loop only.
	timer  *time.Timer
	events []event
}

const (
	// linger bounds how long what was written before close may take to go out,
	// and lastWords how long it may after release: nobody waits for it any more.
	linger    = 5 * time.Second
	lastWords = time.Second
)

func newPortable() kernel {
	k := &portable{signal: make(chan struct{}, 1), lingering: map[*link]struct{}{}, timer: time.NewTimer(time.Hour)}
	k.timer.Stop()
	return k
}

func (k *portable) attach(nc net.Conn) (fd int, err error) {
	if _, err := rawConn(nc); err != nil {
		nc.Close()
		return 0, err
	}
	nc.SetDeadline(time.Time{})
	c := &link{k: k, nc: nc}
	c.taken.L = &k.mu
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

// open returns the link of a descriptor, with mu locked, or nil if it is closed.
func (k *portable) open(fd int) *link {
	k.mu.Lock()
	if fd < 0 || fd >= len(k.links) {
		return nil
	}
	return k.links[fd]
}

func (k *portable) add(fd int, mask uint8, slot, gen uint32) error {
	c := k.open(fd)
	defer k.mu.Unlock()
	if c == nil {
		return syscall.EBADF
	}
	c.slot, c.gen, c.mask = slot, gen, mask
	k.running.Go(c.readAll)
	return nil
}

func (k *portable) mod(fd int, mask uint8, slot, gen uint32) error {
	c := k.open(fd)
	defer k.mu.Unlock()
	if c == nil {
		return syscall.EBADF
	}
	c.slot, c.gen, c.mask = slot, gen, mask
	k.notify(c)
	return nil
}

// notify has c looked at by wait, if it has something to report. mu is locked.
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
	if k.asleep {
		k.asleep = false
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

// sleep unlocks mu until there is something to do or ms milliseconds are over.
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

// gather collects the events. Who has one stays in the list: it is asked again,
// until what it reported has been dealt with.
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
	c := k.open(fd)
	defer k.mu.Unlock()
	if c == nil {
		return 0, syscall.EBADF
	}
	return c.take(p)
}

func (k *portable) write(fd int, p []byte) (int, error) {
	c := k.open(fd)
	defer k.mu.Unlock()
	if c == nil {
		return 0, syscall.EBADF
	}
	return c.put(p)
}

func (k *portable) writev(fd int, p [][]byte) (n int, err error) {
	c := k.open(fd)
	defer k.mu.Unlock()
	if c == nil {
		return 0, syscall.EBADF
	}
	for _, b := range p {
		took, err := c.put(b)
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
	c := k.open(fd)
	if c == nil {
		k.mu.Unlock()
		return syscall.EBADF
	}
	c.shut = true
	k.notify(c)
	last := c.writing
	k.mu.Unlock()
	if last {
		return nil // the writer does it when it is done
	}
	return errno(c.closeWrite())
}

func (k *portable) close(fd int) error {
	c := k.open(fd)
	if c == nil {
		k.mu.Unlock()
		return syscall.EBADF
	}
	k.links[fd] = nil
	k.free = append(k.free, fd)
	c.closed = true
	c.taken.Signal()
	if c.writing && c.nc.SetWriteDeadline(time.Now().Add(linger)) == nil {
		k.lingering[c] = struct{}{} // the writer closes it when it is done
		k.mu.Unlock()
		return nil
	}
	k.mu.Unlock()
	return c.nc.Close()
}

func (k *portable) peer(fd int) netip.AddrPort {
	c := k.open(fd)
	defer k.mu.Unlock()
	if c == nil {
		return netip.AddrPort{}
	}
	addr, ok := c.nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := addr.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// release waits for the goroutines.
func (k *portable) release() {
	k.mu.Lock()
	for c := range k.lingering {
		c.nc.SetWriteDeadline(time.Now().Add(lastWords))
	}
	k.mu.Unlock()
	k.running.Wait()
}
