//go:build !unix

package interrupt

import (
	"os"
	"syscall"
)

// die ends this process as if by a signal.
func die(sig syscall.Signal) { os.Exit((&Error{sig}).Status()) }
