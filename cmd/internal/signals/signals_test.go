//go:build unix

package signals

import (
	"os"
	"syscall"
	"testing"
)

// Every signal that is survived is sent to this very process: one that is not would
// end it.
func TestSurvive(t *testing.T) {
	Survive()
	for _, s := range append([]os.Signal{syscall.SIGHUP}, ignored...) {
		if err := syscall.Kill(os.Getpid(), s.(syscall.Signal)); err != nil {
			t.Error(err)
		}
	}
	hangups := make(chan struct{})
	stop := OnHangup(func() { hangups <- struct{}{} })
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	<-hangups
	stop()
	syscall.Kill(os.Getpid(), syscall.SIGHUP) // and nothing happens
	upgrades := make(chan struct{})
	defer OnUpgrade(func() { upgrades <- struct{}{} })()
	syscall.Kill(os.Getpid(), syscall.SIGUSR2)
	<-upgrades
}
