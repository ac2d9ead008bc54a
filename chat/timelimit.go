package chat

import (
	"context"
	"sync"
	"time"
)

// timeLimit is the context of an operation, which ends at a time or with end. It is a
// context.WithDeadline that is made when somebody asks for more than whether it has ended:
// most operations are over before they wait for anything, and need no timer.
type timeLimit struct {
	at time.Time // Immutable.

	mu sync.Mutex
	// Guarded by mu.
	err     error           // why it has ended, unless context says that
	context context.Context // nil: nobody has asked
	cancel  context.CancelFunc
}

func limitedUntil(at time.Time) *timeLimit { return &timeLimit{at: at} }

// end ends the context, if that has not happened yet.
func (l *timeLimit) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.context != nil {
		l.cancel()
	} else if l.err == nil {
		l.err = context.Canceled
		if l.over() {
			l.err = context.DeadlineExceeded
		}
	}
}

func (l *timeLimit) over() bool { return !time.Now().Before(l.at) }

// made returns a context of package context in place of l. The first call makes it.
func (l *timeLimit) made() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.context != nil:
	case l.err == context.Canceled:
		l.context, l.cancel = context.WithCancel(context.Background())
		l.cancel()
	default:
		l.context, l.cancel = context.WithDeadline(context.Background(), l.at)
	}
	return l.context
}

// Deadline implements context.Context.
func (l *timeLimit) Deadline() (time.Time, bool) { return l.at, true }

// Done implements context.Context.
func (l *timeLimit) Done() <-chan struct{} { return l.made().Done() }

// Value implements context.Context. Package context asks it for what is behind Done.
func (l *timeLimit) Value(key any) any { return l.made().Value(key) }

// Err implements context.Context.
func (l *timeLimit) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.context != nil:
		return l.context.Err()
	case l.err == nil && l.over():
		return context.DeadlineExceeded
	}
	return l.err
}
