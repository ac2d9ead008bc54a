package main

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// barrierTime is how long a service manager may take to read what it was sent.
const barrierTime = 5 * time.Second

// barrier waits until the service manager has read what it was sent before (sd_notify_barrier(3)): it closes
// a pipe then.
func barrier(conn *net.UnixConn) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	raw, err := conn.SyscallConn()
	if err == nil {
		rights := syscall.UnixRights(int(w.Fd()))
		var sendErr error // WriteMsgUnix is not for a socket of datagrams that is connected
		err = raw.Write(func(fd uintptr) bool {
			sendErr = syscall.Sendmsg(int(fd), []byte("BARRIER=1"), rights, nil, 0)
			return sendErr != syscall.EAGAIN
		})
		err = errors.Join(err, sendErr)
	}
	w.Close()
	if err != nil {
		return err
	}
	r.SetReadDeadline(time.Now().Add(barrierTime))
	if _, err := r.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}
