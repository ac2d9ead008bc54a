package main

import (
	"context"
	"time"
)

// This file owns what happens from the end of the input on: the answers to it may
// still be on their way.

// endInput begins to wait for them. Under --once that is one message, which may
// have come before: one that comes first does not keep the input from being sent.
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

// beginWait waits as long again, if the waiting has begun.
func (s *session) beginWait() {
	if s.quiet != nil {
		s.quiet.Reset(s.o.wait)
	}
}

// waited tells when no message has come for long enough; nil blocks.
func (s *session) waited() <-chan time.Time {
	if s.quiet == nil {
		return nil
	}
	return s.quiet.C
}

// endWait closes, unless a message has come at the same moment, or while one is being
// printed: others may lie behind it, unread for want of a reader of ours.
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

// await returns the exit status. An interrupt ends the waiting for those who are to read
// what is printed and do not, as a pager in which somebody reads: the peer has the close
// timeout, and so have they.
func (s *session) await(ctx context.Context, status <-chan int) int {
	select {
	case n := <-status:
		return n
	case <-ctx.Done():
	}
	for {
		select {
		case n := <-status:
			return n
		case <-time.After(s.o.closeTimeout):
			if s.screen.busy() {
				return exitStreams
			}
		}
	}
}

// lookBackTime is how long input that lies ready may take to be read.
const lookBackTime = 50 * time.Millisecond

// lookBack finds out whether there was input left when the connection ended, which
// nobody has received then. Input that only might have come is none.
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
