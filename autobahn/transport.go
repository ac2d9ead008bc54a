package autobahn

import (
	"net"
	"sync"
	"time"
)

// reader reads a connection on a goroutine of its own, so that the tester receives
// while it is sending.
type reader struct {
	chunks chan []byte
	free   chan []byte
	err    error // once chunks is closed
	nc     net.Conn

	buffers [2]*[readSize]byte // all buffers in circulation
}

const readSize = 64 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

func newReader(nc net.Conn) *reader {
	r := &reader{nc: nc}
	r.chunks, r.free = make(chan []byte, len(r.buffers)), make(chan []byte, len(r.buffers))
	for i := range r.buffers {
		r.buffers[i] = readBuffers.Get().(*[readSize]byte)
		r.free <- r.buffers[i][:]
	}
	go r.run()
	return r
}

func (r *reader) run() {
	for b := range r.free {
		n, err := r.nc.Read(b)
		if n > 0 {
			r.chunks <- b[:n]
		} else if err == nil {
			r.free <- b
		}
		if err != nil {
			r.err = err
			close(r.chunks)
			return
		}
	}
}

// drain waits for the goroutine to end. The connection is closed, and what was read
// is no longer needed.
func (r *reader) drain() {
	for c := range r.chunks {
		r.free <- c[:cap(c)]
	}
	for _, b := range r.buffers {
		readBuffers.Put(b)
	}
}

// writer writes a connection on a goroutine of its own, in the order of the calls.
type writer struct {
	nc   net.Conn
	mu   sync.Mutex
	wake *sync.Cond
	// Guarded by mu.
	queue  []func() error
	closed bool
	err    error
	done   chan struct{}
}

func newWriter(nc net.Conn) *writer {
	w := &writer{nc: nc, done: make(chan struct{})}
	w.wake = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// write queues p, which the writer keeps.
func (w *writer) write(p []byte) {
	w.do(func() error { _, err := w.nc.Write(p); return err })
}

// end ends our side of the connection once everything queued is written.
func (w *writer) end() {
	w.do(func() error {
		if half, ok := w.nc.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		return nil
	})
}

// do calls f once everything queued is written. An error ends the writer.
func (w *writer) do(f func() error) {
	w.mu.Lock()
	w.queue = append(w.queue, f)
	w.mu.Unlock()
	w.wake.Signal()
}

func (w *writer) run() {
	defer close(w.done)
	for {
		w.mu.Lock()
		for len(w.queue) == 0 && !w.closed {
			w.wake.Wait()
		}
		queue := w.queue
		w.queue = nil
		stop := w.closed && len(queue) == 0 || w.err != nil
		w.mu.Unlock()
		if stop {
			return
		}
		for _, f := range queue {
			if err := f(); err != nil {
				w.mu.Lock()
				w.err = err
				w.mu.Unlock()
				return
			}
		}
	}
}

// close sends what is queued, for at most a second, and ends the goroutine.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake.Signal()
	w.nc.SetWriteDeadline(time.Now().Add(time.Second))
	<-w.done
}

// timers are the calls that are due later. They run on the session's goroutine.
type timers struct {
	list  []timer
	timer *time.Timer
}

type timer struct {
	at time.Time
	f  func()
}

func (t *timers) init() { t.timer = time.NewTimer(time.Hour) }

func (t *timers) c() <-chan time.Time { return t.timer.C }

func (t *timers) stop() { t.timer.Stop() }

func (t *timers) add(d time.Duration, f func()) {
	t.list = append(t.list, timer{time.Now().Add(d), f})
	t.arm()
}

func (t *timers) arm() {
	if len(t.list) == 0 {
		return
	}
	next := t.list[0].at
	for _, e := range t.list[1:] {
		if e.at.Before(next) {
			next = e.at
		}
	}
	t.timer.Reset(time.Until(next))
}

// fire calls what is due, in the order of the times.
func (t *timers) fire() {
	now := time.Now()
	for {
		first := -1
		for i, e := range t.list {
			if !e.at.After(now) && (first < 0 || e.at.Before(t.list[first].at)) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		f := t.list[first].f
		t.list = append(t.list[:first], t.list[first+1:]...)
		f()
	}
	t.arm()
}
