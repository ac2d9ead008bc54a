// Package interrupttest is for tests that send signals to programs that they start.
package interrupttest

import (
	"os"
	"os/signal"
	"syscall"
)

// HeedHangup has the programs that this process starts begin with SIGHUP's usual
// effect, also where it is ignored itself because it runs under nohup: an ignored
// signal is inherited, a caught one is not.
func HeedHangup() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}
