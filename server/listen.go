package server

import (
	"errors"
	"net"
	"net/http"
)

// Serve accepts connections on ln and serves them with net/http, over TLS if
// Config.TLS is set, until Shutdown or Drain is called. It closes ln before it returns.
// The error is never nil; after Shutdown it is ErrServerClosed.
//
// Without Config.HTTP, opening handshakes are all that arrives: a request may take
// HandshakeTimeout and 16 KiB. The requests of Config.HTTP have no such limits, except
// that their header must arrive within HandshakeTimeout and be shorter than 1 MiB; for
// others see Config.HTTPServer. An application that has an http.Server of its own does not
// need Serve, but mounts Server or an Endpoint there.
//
// The loops read and answer what is clearly an opening handshake; the rest is handled
// by net/http, with the same rules: on Linux, where ln is a *net.TCPListener or
// *net.UnixListener, and Config has none of TLS, Middleware and ClientAddr, nor a
// ConnState or context of its own in HTTPServer. That concerns Config.Paths and
// Endpoint.Paths and, without Config.HTTP, every path. Goroutines ask Admit, the functions of
// an Upgrader, and Probe where it may be meant (see MaxAdmitting); handshakes that concern
// none of these, such as those of pages that are listed in Upgrader.Origins where there is a
// CheckOrigin, cost least. Connections of such a listener have the kernel's keep-alive probes only if
// PingInterval is Off.
//
// Otherwise, a listener from net.ListenConfig{KeepAlive: -1} saves four system calls per
// connection, and the kernel's keep-alive probes: PingInterval already detects dead
// peers.
func (s *Server) Serve(ln net.Listener) error {
	hs, seen := s.newHTTPServer()
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		ln.Close()
		return ErrServerClosed
	}
	s.https = append(s.https, hs)
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	defer s.removeListener(ln)
	counted := s.listener(ln)
	ln = counted
	if s.cfg.TLS != nil {
		ln = newTLSListener(counted, s.cfg.TLS, s.cfg.HTTP != nil)
	}
	var door *doorway
	if !seen {
		door = s.newDoorway(counted, hs)
	}
	if door != nil {
		go door.acceptAll()
		ln = door
	}
	err := hs.Serve(ln)
	if door != nil {
		door.finish()
	}
	counted.spare.Close() // Accept is not called any more; Close of nil is harmless
	if errors.Is(err, http.ErrServerClosed) {
		return ErrServerClosed
	}
	return err
}
