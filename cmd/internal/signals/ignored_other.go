//go:build !unix

package signals

import (
	"os"
	"syscall"
)

var ignored = []os.Signal{syscall.SIGPIPE}
