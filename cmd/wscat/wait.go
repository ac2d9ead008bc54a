package main

import (
	"context"
	"time"
)

// This file owns what happens after the end of the input: answers to it may still be on
// their way.

// endInput begins to wait for the answers. With --once that is one message, and it may
// have arrived already: a message that arrives first does not stop the input from being
// sent.
func (s *session) endInput() {
	s.mu.Lock()
	s.inputDone = true
	enough := s.o.once && s.shown
	s.mu.Unlock()
	switch {
	case enough || s.o.wait == 0:
		s.hangUp()
	case s.o.wait > 0:
		s.quiet = time.NewTimer(s.o.wait)
	}
}

// beginWait restarts the wait, if it has begun.
func (s *session) beginWait() {
	if s.quiet != nil {
		s.quiet.Reset(s.o.wait)
	}
}

// waited returns a channel that receives when no message has come for long enough, or nil
// before the wait has begun.
func (s *session) waited() <-chan time.Time {
	if s.quiet == nil {
		return nil
	}
	return s.quiet.C
}

// endWait closes the connection, unless a message has arrived at the same moment or one is
// being printed: then more may have arrived that we have not read.
func (s *session) endWait() {
	if s.screen.busy() {
		s.beginWait()
		return
	}
	select {
	case <-s.heard:
		s.beginWait()
	default:
		s.quiet, s.gaveUp = nil, true
		s.hangUp()
	}
}

// await waits for the exit status. After an interrupt, a reader of standard output that
// does not read, such as a pager, gets no longer than the peer: the close timeout.
func (s *session) await(ctx context.Context, status <-chan int) int {
	select {
	case n := <-status:
		return n
	case <-ctx.Done():
	}
	for {
		written := s.screen.written.Load()
		select {
		case n := <-status:
			return n
		case <-time.After(max(s.o.closeTimeout, minStall)):
			if s.screen.busy() && s.screen.written.Load() == written { // by the same thing, all the time
				return exitStreams
			}
		}
	}
}

// minStall is how long an output must have taken nothing to count as stalled.
const minStall = 200 * time.Millisecond

// lookBackTime is how long it may take to read input that is ready.
const lookBackTime = 50 * time.Millisecond

// lookBack finds out whether there was unsent input when the connection ended. Input that
// is not ready by then does not count.
func (s *session) lookBack(inputs <-chan input) {
	if inputs == nil {
		return
	}
	timer := time.NewTimer(lookBackTime)
	defer timer.Stop()
	select {
	case in, ok := <-inputs:
		s.mu.Lock()
		s.unsent = s.unsent || ok && in.err == nil && !s.hungUp
		s.mu.Unlock()
	case <-timer.C:
	}
}
