package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// DefaultMode is the mode of a Unix socket's file.
const DefaultMode fs.FileMode = 0o660

// Forms says what an address may be, for error and help texts.
const Forms = "host:port, unix:PATH, systemd or systemd:NAME"

// Options say where to listen.
type Options struct {
	// Address is one of Forms. "systemd" is the one socket that a service manager
	// has opened and passed on (sd_listen_fds(3)), "systemd:NAME" the one with that
	// FileDescriptorName.
	Address string

	// Mode is the mode of a Unix socket's file, whatever the umask. 0 means
	// DefaultMode.
	Mode fs.FileMode

	// ReusePort lets several processes listen on one TCP address (SO_REUSEPORT):
	// the kernel gives each a share of the connections. All have to ask for it,
	// under one user.
	ReusePort bool
}

// Check reports whether address has one of the Forms.
func Check(address string) error {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		switch {
		case path == "":
			return errors.New("the path of the socket is missing")
		case strings.ContainsRune(path, 0):
			return errors.New("the path of the socket holds a zero byte")
		case len(path) > maxPath:
			return fmt.Errorf("the path of the socket has %d bytes; the system takes %d", len(path), maxPath)
		}
		return nil
	}
	if name, ok := inheritedName(address); ok {
		if strings.HasPrefix(address, "systemd:") && name == "" {
			return errors.New("the name of the socket is missing")
		}
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("it has no port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("the port is not a number from 0 to 65535")
	}
	return nil
}

// Open listens. The caller closes the listener; that removes the file of a Unix
// socket that Open made.
func (o Options) Open() (net.Listener, error) {
	if err := Check(o.Address); err != nil {
		return nil, fmt.Errorf("listen on %q: %w", o.Address, err)
	}
	path, isUnix := strings.CutPrefix(o.Address, "unix:")
	name, isInherited := inheritedName(o.Address)
	switch {
	case o.ReusePort && (isUnix || isInherited):
		return nil, fmt.Errorf("listen on %s: only a TCP address can be shared by port", o.Address)
	case isUnix:
		return openUnix(path, o.Mode)
	case isInherited:
		return inherit(name, os.Getpid(), firstInherited)
	}
	// A server that pings has no use for the system's own probes, which take four
	// calls for every connection to set.
	lc := net.ListenConfig{KeepAlive: -1}
	if o.ReusePort {
		lc.Control = func(_, _ string, c syscall.RawConn) error { return reusePort(c) }
	}
	return lc.Listen(context.Background(), "tcp", o.Address)
}
