//go:build unix

package signals

import (
	"os"
	"syscall"
)

// upgrade asks a server to replace itself by its new version.
var upgrade os.Signal = syscall.SIGUSR2

var ignored = []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ, syscall.SIGTTOU, syscall.SIGUSR1, syscall.SIGUSR2}
