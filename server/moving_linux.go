package server

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func (k *epoll) descriptor(fd int) int { return fd }

// abandon also removes fd from the epoll set: closing is not enough while another process has
// the same description open.
func (k *epoll) abandon(fd int) {
	unix.EpollCtl(k.epfd, unix.EPOLL_CTL_DEL, fd, nil)
	unix.Close(fd)
}

// duplicate returns a close-on-exec duplicate.
func duplicate(fd int) (int, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("server: freeze: duplicate descriptor: %w", err)
	}
	return dup, nil
}

func closeDescriptors(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
