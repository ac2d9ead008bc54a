package server

import (
	"net"
	"sync/atomic"
)

// bridge serves, within a kernel that is for descriptors of the operating system, the
// connections that have none, such as those of somebody else's TLS: a portable kernel
// reads and writes them with goroutines, and the one it serves does the waiting.
type bridge struct {
	p atomic.Pointer[portable] // nil while there was no such connection
}

// firstBridged is the first number that is not a descriptor of the operating system's.
const firstBridged = 1 << 30

// attach is kernel.attach. host is the kernel that it is for.
func (b *bridge) attach(nc net.Conn, host kernel) (fd int, err error) {
	p := b.p.Load()
	if p == nil {
		p = newPortable().(*portable)
		p.host = host
		if !b.p.CompareAndSwap(nil, p) {
			p = b.p.Load()
		}
	}
	fd, err = p.attach(nc)
	return firstBridged + fd, err
}

// of returns the kernel of a descriptor that is bridged, and its number there; otherwise
// nil.
func (b *bridge) of(fd int) (*portable, int) {
	if fd < firstBridged {
		return nil, 0
	}
	return b.p.Load(), fd - firstBridged
}

// before returns how many milliseconds the host may wait. If that is not 0, the host will
// be woken for an event.
func (b *bridge) before(ms int) int {
	p := b.p.Load()
	if p == nil {
		return ms
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gather(); len(p.events) > 0 {
		return 0
	}
	p.asleep = true
	return ms
}

// after appends the events that there are when the host has waited.
func (b *bridge) after(events []event) []event {
	p := b.p.Load()
	if p == nil {
		return events
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asleep = false
	p.gather()
	return append(events, p.events...)
}

func (b *bridge) release() {
	if p := b.p.Load(); p != nil {
		p.release()
	}
}
