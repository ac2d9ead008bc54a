package server

// A held loop does nothing by itself: it reads no socket, writes to none, fires no timer
// and calls no callback. Its goroutine runs the functions that its holder sends instead. What
// is posted to it meanwhile waits.

// hold is how the holder of a loop controls it.
type hold struct {
	held chan struct{} // closed when the loop is held
	run  chan func()   // closed to let the loop go
}

// holdLoop has the loop held at the end of its iteration. The error is
// ErrClosed if it has ended.
func (l *loop) holdLoop() (*hold, error) {
	h := &hold{make(chan struct{}), make(chan func())}
	return h, l.post(task{kind: taskCall, call: func() { l.holder = h }}, nil)
}

// do runs f on the held loop, and waits for it.
func (h *hold) do(f func()) {
	done := make(chan struct{})
	h.begin(func() { f(); close(done) })
	<-done
}

// begin runs f on the held loop, and waits only for what was begun before.
func (h *hold) begin(f func()) { h.run <- f }

// beHeld is the loop's side.
func (l *loop) beHeld() {
	h := l.holder
	l.holder = nil
	close(h.held)
	for f := range h.run {
		f()
	}
	l.tick()
}

// settle does everything that is due without waiting: what was posted, the callbacks that result,
// and one write to each connection. It reports whether there was anything to do.
func (l *loop) settle() bool {
	l.box.mu.Lock()
	busy := len(l.box.tasks) > 0
	l.box.mu.Unlock()
	busy = busy || len(l.again) > 0 || len(l.writables) > 0 || len(l.dirty) > 0
	l.iterate(nil)
	return busy
}
