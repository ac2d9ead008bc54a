package listen

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// firstInherited is the first descriptor that a service manager passes on
// (sd_listen_fds(3)).
const firstInherited = 3

// inheritedName reports whether an address means an inherited socket, and which;
// "" is the only one.
func inheritedName(address string) (name string, ok bool) {
	if address == "systemd" {
		return "", true
	}
	return strings.CutPrefix(address, "systemd:")
}

// inherit takes over the socket that a service manager passed on to the process
// pid. The variables that say so are cleared, so that no child believes them.
func inherit(name string, pid, first int) (net.Listener, error) {
	passed, forWhom, names := os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDNAMES")
	for _, v := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		os.Unsetenv(v)
	}
	if passed == "" {
		return nil, fmt.Errorf("listen on systemd: no socket was passed on: LISTEN_FDS is not set")
	}
	if forWhom != strconv.Itoa(pid) {
		return nil, fmt.Errorf("listen on systemd: sockets were passed on to process %q (LISTEN_PID), and this is %d", forWhom, pid)
	}
	n, err := strconv.Atoi(passed)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("listen on systemd: LISTEN_FDS is %q, which is no number of sockets", passed)
	}
	i := 0
	switch list := strings.Split(names, ":"); {
	case name != "":
		if i = slices.Index(list, name); i < 0 || i >= n {
			return nil, fmt.Errorf("listen on systemd: no socket is called %q; LISTEN_FDNAMES is %q", name, names)
		}
	case n > 1:
		return nil, fmt.Errorf("listen on systemd: %d sockets were passed on, named %q; say which with systemd:NAME", n, names)
	}
	return fromDescriptor(first + i)
}

// fromDescriptor makes a listener of a descriptor, which is closed when it has one
// of its own.
func fromDescriptor(fd int) (net.Listener, error) {
	listening, err := isListening(fd)
	if err != nil {
		return nil, fmt.Errorf("listen on systemd: descriptor %d: %w", fd, err)
	}
	if !listening {
		return nil, fmt.Errorf("listen on systemd: descriptor %d is a socket that does not listen", fd)
	}
	f := os.NewFile(uintptr(fd), "inherited socket")
	defer f.Close() // FileListener has a duplicate
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on systemd: descriptor %d: %w", fd, err)
	}
	return ln, nil
}
