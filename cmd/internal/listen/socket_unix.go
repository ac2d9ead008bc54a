//go:build unix

package listen

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

func reusePort(c syscall.RawConn) error {
	return control(c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
}

// limitMode has bind(2) make a socket's file with a mode less the umask, so that it
// is never more open than it shall be. Only Linux looks at it.
func limitMode(c syscall.RawConn, mode fs.FileMode) error {
	return control(c, func(fd int) error {
		unix.Fchmod(fd, uint32(mode)) // fails elsewhere, where the umask has to do
		return nil
	})
}

func isListening(fd int) (bool, error) {
	v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return v != 0, err
}

func control(c syscall.RawConn, f func(fd int) error) error {
	var err error
	if outer := c.Control(func(fd uintptr) { err = f(int(fd)) }); outer != nil {
		return outer
	}
	return err
}
