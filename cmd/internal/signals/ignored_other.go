//go:build !unix

package signals

import (
	"os"
	"syscall"
)

// upgrade is nil: there is no such signal.
var upgrade os.Signal

var ignored = []os.Signal{syscall.SIGPIPE}
