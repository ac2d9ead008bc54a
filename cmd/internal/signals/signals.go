package signals

import (
	"os"
	"os/signal"
	"syscall"
)

// Survive makes the process ignore the signals whose default action would end or halt it
// although that is not what they ask for.
//
// SIGPIPE comes when the reader of stdout or stderr is gone, SIGXFSZ when the log
// has reached the limit on a file's size, and SIGTTOU when it goes to a terminal
// that belongs to another job: then the write fails or succeeds, and that is all.
// SIGUSR1 and SIGUSR2 are what some log rotations send, to programs that keep their
// log open by name. SIGHUP does nothing until OnHangup says what it does, nor SIGUSR2 until
// OnUpgrade does.
func Survive() {
	signal.Ignore(ignored...)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
}

// OnHangup calls f at each SIGHUP, until stop is called. An administrator sends the
// signal after changing a file; so do a log rotation and a terminal that is closed.
func OnHangup(f func()) (stop func()) { return on(syscall.SIGHUP, f) }

// OnUpgrade calls f at each SIGUSR2, until stop is called, on systems that have it.
func OnUpgrade(f func()) (stop func()) {
	if upgrade == nil {
		return func() {}
	}
	return on(upgrade, f)
}

// on calls f at each signal s, one call at a time.
func on(s os.Signal, f func()) (stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, s)
	go func() {
		for range ch {
			f()
		}
	}()
	return func() {
		signal.Stop(ch)
		close(ch)
	}
}

// Stop returns a channel that is closed by the first SIGINT or SIGTERM. A second one, during a
// graceful stop, ends the process by the system's default action.
func Stop() <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stop := make(chan struct{})
	go func() {
		<-signals
		signal.Stop(signals)
		close(stop)
	}()
	return stop
}
