package listen

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// passed is what a service manager passed on, as its variables said.
type passed struct {
	fds, pid, names string
	taken           map[int]bool
}

// inherited remembers it from the first call of inherit on, for several listeners.
var inherited struct {
	mu sync.Mutex
	passed
}

// inherit takes over a socket that a service manager passed on to the process pid.
// The variables that say so are cleared, so that no child believes them.
func inherit(name string, pid, first int) (net.Listener, error) {
	inherited.mu.Lock()
	defer inherited.mu.Unlock()
	p := &inherited.passed
	if fds, ok := os.LookupEnv("LISTEN_FDS"); ok {
		*p = passed{fds, os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDNAMES"), map[int]bool{}}
	}
	for _, v := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		os.Unsetenv(v)
	}
	i, err := p.find(name, pid)
	if err != nil {
		return nil, err
	}
	if p.taken[i] {
		return nil, fmt.Errorf("listen on systemd: socket %q is already listened on", name)
	}
	p.taken[i] = true
	return fromDescriptor(first + i)
}

// find returns which of the sockets has the name.
func (p *passed) find(name string, pid int) (i int, err error) {
	if p.fds == "" {
		return 0, fmt.Errorf("listen on systemd: no socket was passed on: LISTEN_FDS is not set")
	}
	if p.pid != strconv.Itoa(pid) {
		return 0, fmt.Errorf("listen on systemd: sockets were passed on to process %q (LISTEN_PID), and this is %d", p.pid, pid)
	}
	n, err := strconv.Atoi(p.fds)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("listen on systemd: LISTEN_FDS is %q, which is not a number of sockets", p.fds)
	}
	switch list := strings.Split(p.names, ":"); {
	case name != "":
		if i = slices.Index(list, name); i < 0 || i >= n {
			return 0, fmt.Errorf("listen on systemd: no socket is called %q; LISTEN_FDNAMES is %q", name, p.names)
		}
	case n > 1:
		return 0, fmt.Errorf("listen on systemd: %d sockets were passed on, named %q; say which with systemd:NAME", n, p.names)
	}
	return i, nil
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
