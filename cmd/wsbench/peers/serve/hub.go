package main

import "sync"

// hub holds the connections to /fanout, for the libraries whose examples keep a
// queue and a writing goroutine for each connection. M is a message as the
// library prepares it.
type hub[M any] struct {
	mu      sync.Mutex
	members map[chan M]struct{} // Guarded by mu.
}

// queueLength is that of the libraries' chat examples.
const queueLength = 256

// join adds a connection whose messages are written by write, until one fails.
// leave takes it out again.
func (h *hub[M]) join(write func(M) error) (leave func()) {
	queue := make(chan M, queueLength)
	h.mu.Lock()
	if h.members == nil {
		h.members = map[chan M]struct{}{}
	}
	h.members[queue] = struct{}{}
	h.mu.Unlock()
	go func() {
		failed := false
		for m := range queue {
			failed = failed || write(m) != nil
		}
	}()
	return func() {
		h.mu.Lock()
		delete(h.members, queue)
		close(queue)
		h.mu.Unlock()
	}
}

// send waits if a queue is full: no message may be lost.
func (h *hub[M]) send(m M) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for queue := range h.members {
		queue <- m
	}
}
