package redis

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/hawser-ws/hawser/chat"
)

// Release implements chat.Sessions. A goroutine tells Redis.
func (ss *sessions) Release(id string) {
	now := ss.s.Now()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	h := ss.held[id]
	if h == nil || h.open == 0 {
		return
	}
	h.open--
	h.seen = now
	h.released++
	if !h.queued {
		h.queued = true
		ss.released = append(ss.released, id)
		ss.wake.Signal()
	}
}

// maxReleases is how many sessions are told of at a time.
const maxReleases = 64

// run tells Redis of connections that have ended.
func (ss *sessions) run() {
	defer close(ss.done)
	failures := 0
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for {
		for len(ss.released) == 0 && !ss.closed {
			ss.wake.Wait()
		}
		if ss.closed || ss.b.ctx.Err() != nil {
			ss.closed = true
			ss.advance(errClosed)
			return
		}
		if !ss.b.gate.try() {
			ss.mu.Unlock()
			ss.b.gate.wait(ss.b.ctx)
			ss.mu.Lock()
			continue
		}
		n := min(len(ss.released), maxReleases)
		ids := ss.released[:n:n]
		if ss.released = ss.released[n:]; len(ss.released) == 0 {
			ss.released = nil
		}
		failed, err := ss.release(ids)
		ss.released = append(failed, ss.released...)
		ss.advance(err)
		ss.b.gate.leave()
		if err == nil {
			failures = 0
			continue
		}
		failures++
		ss.mu.Unlock()
		ss.b.pause(failures)
		ss.mu.Lock()
	}
}

// release tells of some sessions, and returns those of which it could not. Called with mu held,
// which it releases while it waits.
func (ss *sessions) release(ids []string) (failed []string, err error) {
	type part struct {
		heldSession
		id  string
		err error
	}
	parts := make([]part, len(ids))
	for i, id := range ids {
		parts[i] = part{heldSession: *ss.held[id], id: id}
	}
	process := ss.self
	ss.mu.Unlock()
	ctx, cancel := context.WithTimeout(ss.b.ctx, ss.s.cfg.Timeout)
	var wg sync.WaitGroup
	for i := range parts {
		p := &parts[i]
		wg.Go(func() {
			ss.lock(p.id)
			defer ss.unlock(p.id)
			p.err = ss.update(ctx, p.id, p.user, func(r *sessionRecord) {
				r.count(process, -p.released)
				r.Seen = max(r.Seen, p.seen)
				r.Until = max(r.Until, p.seen+ss.lifeMS())
			})
			if p.err == nil || errors.Is(p.err, chat.ErrSessionRefused) {
				ss.mu.Lock()
				ss.held[p.id].released -= p.released
				ss.mu.Unlock()
			}
		})
	}
	wg.Wait()
	cancel()
	ss.mu.Lock()
	for _, p := range parts {
		if p.err != nil && !errors.Is(p.err, chat.ErrSessionRefused) {
			failed, err = append(failed, p.id), p.err
			continue
		}
		h := ss.held[p.id]
		if h.released > 0 {
			failed = append(failed, p.id) // more have ended meanwhile
			continue
		}
		h.queued = false
		if h.open == 0 {
			delete(ss.held, p.id)
		}
	}
	return failed, err
}

// advance wakes those who wait until Redis was told. Called with mu held.
func (ss *sessions) advance(err error) {
	ss.failed = err
	close(ss.progress)
	ss.progress = make(chan struct{})
}

// flush waits until Redis was told of what has ended of some sessions.
func (ss *sessions) flush(ctx context.Context, which func(id, user string) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for !ss.closed && ss.pending(which) {
		progress := ss.progress
		ss.mu.Unlock()
		select {
		case <-progress:
		case <-ctx.Done():
		}
		ss.mu.Lock()
		if err := cmp.Or(ctx.Err(), ss.failed); err != nil {
			return err
		}
	}
	return nil
}

// pending reports whether Redis must be told of one of some sessions. Called with mu held.
func (ss *sessions) pending(which func(id, user string) bool) bool {
	for id, h := range ss.held {
		if h.released > 0 && which(id, h.user) {
			return true
		}
	}
	return false
}

// close ends the goroutine, after Redis was told everything that is this process's to tell.
func (ss *sessions) close(ctx context.Context) {
	if !ss.b.gate.isShut() {
		ss.flush(ctx, func(string, string) bool { return true })
	}
	ss.mu.Lock()
	ss.closed = true
	ss.wake.Signal()
	ss.mu.Unlock()
	<-ss.done
}
