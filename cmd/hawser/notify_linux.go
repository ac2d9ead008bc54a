package main

import (
	"errors"
	"os"
	"syscall"
	"time"

	"net"
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
	_, _, err = conn.WriteMsgUnix([]byte("BARRIER=1"), syscall.UnixRights(int(w.Fd())), nil)
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
