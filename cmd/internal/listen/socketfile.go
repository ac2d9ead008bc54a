package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// maxPath is the longest path that a sockaddr_un holds, with the zero byte that
// ends it.
const maxPath = 107

// openUnix listens on a socket's file. An existing socket is removed if no server answers on
// it, as after a crash; any other existing file is not.
func openUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if mode == 0 {
		mode = DefaultMode
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return limitMode(c, mode) }}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err := removeStale(path); err != nil {
			return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
		}
		ln, err = lc.Listen(context.Background(), "unix", path)
	}
	if err != nil {
		return nil, err // it names the path
	}
	if err := os.Chmod(path, mode); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("the file exists and is not a socket")
	}
	nc, err := net.Dial("unix", path)
	if err == nil {
		nc.Close()
		return errors.New("another server answers there")
	}
	// Only this means that there is no server. A server may also have a full backlog, or we
	// may not be allowed to connect to it.
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot find out whether another server uses it: %w", err)
	}
	return os.Remove(path)
}
