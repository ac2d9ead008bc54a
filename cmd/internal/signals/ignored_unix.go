//go:build unix

package signals

import (
	"os"
	"syscall"
)

var ignored = []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ, syscall.SIGTTOU, syscall.SIGUSR1, syscall.SIGUSR2}
