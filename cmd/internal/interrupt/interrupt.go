package interrupt

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// Error says why a run was ended early.
type Error struct{ Signal syscall.Signal }

// Error says what happened, as "interrupted by SIGINT".
func (e *Error) Error() string {
	if e.Signal == syscall.SIGPIPE {
		return "interrupted: the output is no longer read"
	}
	return "interrupted by " + names[e.Signal]
}

// Status is the exit status that a shell gives to a program that the signal ended.
func (e *Error) Status() int { return 128 + int(e.Signal) }

// Is makes an Error a context.Canceled, for code that only knows contexts.
func (e *Error) Is(target error) bool { return target == context.Canceled }

var names = map[syscall.Signal]string{syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP"}

// Of returns the Error among err's causes, or nil.
func Of(err error) *Error {
	var e *Error
	errors.As(err, &e)
	return e
}

// Context returns a context that ends at the first SIGINT, SIGTERM or SIGHUP. The
// second one has its usual effect, after last, which may be nil. SIGHUP stays ignored
// where it was when the program began, as nohup wants it.
//
// stop restores the signals. end ends the context with another cause.
func Context(parent context.Context, last func()) (ctx context.Context, end context.CancelCauseFunc, stop func()) {
	ctx, end = context.WithCancelCause(parent)
	wanted := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		wanted = append(wanted, syscall.SIGHUP)
	}
	caught, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(caught, wanted...)
	go func() {
		for first := true; ; first = false {
			select {
			case sig := <-caught:
				if first {
					end(&Error{sig.(syscall.Signal)})
					continue
				}
				if last != nil {
					last()
				}
				die(sig.(syscall.Signal))
			case <-done:
				return
			}
		}
	}()
	var stopped atomic.Bool
	return ctx, end, func() {
		if stopped.CompareAndSwap(false, true) {
			signal.Stop(caught)
			close(done)
			end(nil)
		}
	}
}
