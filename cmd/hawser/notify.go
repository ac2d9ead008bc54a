package main

import (
	"log/slog"
	"net"
	"os"
	"strconv"
)

// This file tells a service manager how the service is (sd_notify(3)): that it is ready, that it
// stops, and which process it is after an upgrade. Without one, it does nothing.

// notify sends a message.
func notify(state string, log *slog.Logger) {
	conn := dialManager(log)
	if conn == nil {
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		log.Warn("the service manager cannot be told", "what", state, "error", err)
	}
}

// dialManager returns nil if there is no service manager that wants to know.
func dialManager(log *slog.Logger) *net.UnixConn {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path}) // @ is for the abstract name space
	if err != nil {
		log.Warn("the service manager cannot be told anything: NOTIFY_SOCKET", "error", err)
		return nil
	}
	return conn
}

// mainProcess says that another process is the service from now on, and waits until the manager knows,
// as the end of this one would otherwise be that of the service.
func mainProcess(pid int, log *slog.Logger) {
	conn := dialManager(log)
	if conn == nil {
		return
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("MAINPID=" + strconv.Itoa(pid))); err != nil {
		log.Warn("the service manager cannot be told the new process", "error", err)
		return
	}
	if err := barrier(conn); err != nil {
		log.Warn("the service manager does not say whether it knows the new process", "error", err)
	}
}
