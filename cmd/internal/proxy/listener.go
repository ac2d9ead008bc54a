package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

const (
	// maxAwaited bounds the connections whose header is awaited, or that have sent
	// it and are not accepted yet.
	maxAwaited = 1024

	// headerBuffer is what is read at a time. It holds any header of version 1,
	// and one of version 2 without long extensions.
	headerBuffer = 256
)

// Options say how a Listener works. The zero value of a field means its default.
type Options struct {
	// Trusted are the peers that must begin with a PROXY header. Others are accepted without
	// one: if they send one, it is data, which HTTP and TLS refuse.
	Trusted Trusted

	// Timeout is the maximum time from accept to the end of the header. Default: 5 s.
	Timeout time.Duration

	// Probes says whether a trusted peer may omit the header if it begins with an HTTP request
	// that can be a health probe, or with TLS if TLS is set. Health checkers such as Kubernetes
	// send no header, but have addresses like the proxies'. Such a connection is accepted with
	// its own address, and its method ProbesOnly returns true: only health probes must be
	// answered on it.
	Probes bool
	TLS    bool

	Log *slog.Logger // default: slog.Default()
}

// NewListener wraps ln so that a connection is accepted after its header has been read. Its
// RemoteAddr and LocalAddr are those in the header, unless the header says LOCAL, UNKNOWN or
// something other than TCP: then they are its own. A connection from a trusted peer is closed
// if the header is missing, invalid, longer than 4 KiB or late.
func NewListener(ln net.Listener, o Options) net.Listener {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	l := &listener{
		Listener: ln, o: o,
		results: make(chan result), again: make(chan struct{}), room: make(chan struct{}, maxAwaited), closed: make(chan struct{}),
		awaited: map[net.Conn]struct{}{},
	}
	go l.run()
	return l
}

type listener struct {
	// Immutable.
	net.Listener
	o       Options
	results chan result   // what Accept returns
	again   chan struct{} // has run go on after an error
	room    chan struct{} // holds one for each that is awaited
	closed  chan struct{} // closed by Close

	mu sync.Mutex
	// Guarded by mu.
	ended   bool
	awaited map[net.Conn]struct{}
}

type result struct {
	nc  net.Conn
	err error
}

// run accepts. A header is awaited in a goroutine of its own, so that one client
// does not hold up the next.
func (l *listener) run() {
	for {
		nc, err := l.Listener.Accept()
		switch {
		case err != nil:
			if !l.deliver(result{err: err}) {
				return
			}
			// What to do about it, and when to try again, is the caller's choice.
			select {
			case <-l.again:
			case <-l.closed:
				return
			}
		case !l.o.Trusted.hasPeer(nc.RemoteAddr()):
			if !l.deliver(result{nc: nc}) {
				nc.Close()
				return
			}
		default:
			select {
			case l.room <- struct{}{}:
				go l.await(nc)
			case <-l.closed:
				nc.Close()
				return
			}
		}
	}
}

// deliver hands a result to Accept, unless the listener is closed first.
func (l *listener) deliver(r result) bool {
	select {
	case l.results <- r:
		return true
	case <-l.closed:
		return false
	}
}

func (l *listener) await(nc net.Conn) {
	defer func() { <-l.room }()
	if !l.track(nc) {
		return
	}
	c, err := l.readHeader(nc)
	l.untrack(nc)
	if err != nil {
		if !errors.Is(err, net.ErrClosed) && !errors.Is(err, errSilent) {
			// Before the end: a peer that has seen it finds the reason in the log.
			l.o.Log.Warn("PROXY header refused", "proxy", nc.RemoteAddr(), "error", err)
		}
		nc.Close()
		return
	}
	if !l.deliver(result{nc: c}) {
		nc.Close()
	}
}

// track has Close close nc, too.
func (l *listener) track(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		nc.Close()
		return false
	}
	l.awaited[nc] = struct{}{}
	return true
}

func (l *listener) untrack(nc net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.awaited, nc)
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case r := <-l.results:
			return r.nc, r.err
		case l.again <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// SetDeadline makes Accept fail at that time, if the listener below it can.
func (l *listener) SetDeadline(t time.Time) error {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(t)
	}
	return errors.ErrUnsupported
}

// SyscallConn gives access to the descriptor (syscall.Conn), which another process may take over.
func (l *listener) SyscallConn() (syscall.RawConn, error) {
	sc, ok := l.Listener.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}

// Close also closes connections that are not accepted yet.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return net.ErrClosed
	}
	l.ended = true
	close(l.closed)
	for nc := range l.awaited {
		nc.Close()
	}
	return l.Listener.Close()
}

// errSilent is the error of a connection that ended without sending anything: proxies check in
// this way whether the server is up.
var errSilent = errors.New("closed without a word")

// readHeader reads the header that nc has to begin with.
func (l *listener) readHeader(nc net.Conn) (*conn, error) {
	if err := nc.SetReadDeadline(time.Now().Add(l.o.Timeout)); err != nil {
		return nil, err
	}
	br := bufio.NewReaderSize(nc, headerBuffer)
	h, err := proxyproto.Read(br)
	if errors.Is(err, proxyproto.ErrNoProxyProtocol) && br.Buffered() == 0 {
		return nil, errSilent
	}
	probe := errors.Is(err, proxyproto.ErrNoProxyProtocol) && l.o.Probes && mayProbe(br, l.o.TLS)
	if err != nil && !probe {
		return nil, err
	}
	if err := nc.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, remote: nc.RemoteAddr(), local: nc.LocalAddr(), probesOnly: probe}
	if n := br.Buffered(); n > 0 {
		c.left = make([]byte, n)
		br.Read(c.left) // it has them
	}
	if probe {
		return c, nil
	}
	source, isTCP := h.SourceAddr.(*net.TCPAddr)
	if h.Command.IsProxy() && isTCP {
		c.remote, c.local = source, h.DestinationAddr
	}
	return c, nil
}

// mayProbe reports whether the first bytes can be a health probe.
func mayProbe(br *bufio.Reader, tls bool) bool {
	if tls {
		b, err := br.Peek(1)
		return err == nil && b[0] == 22 // a handshake record, RFC 8446 5.1
	}
	for _, method := range []string{"GET ", "HEAD ", "OPTIONS "} {
		for n := 1; ; n++ { // no more than are needed to tell
			b, err := br.Peek(n)
			if err != nil {
				return false
			}
			if string(b) != method[:n] {
				break
			}
			if n == len(method) {
				return true
			}
		}
	}
	return false
}

// conn is a connection whose header has been read, or that needs none.
type conn struct {
	net.Conn
	remote     net.Addr
	local      net.Addr
	left       []byte // what was read after the header
	probesOnly bool
}

// ProbesOnly reports that nothing but health probes must be answered, because there
// was no header (server.Config.Probe).
func (c *conn) ProbesOnly() bool { return c.probesOnly }

func (c *conn) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.left)
	if c.left = c.left[n:]; len(c.left) == 0 {
		c.left = nil
	}
	return n, nil
}

func (c *conn) RemoteAddr() net.Addr { return c.remote }
func (c *conn) LocalAddr() net.Addr  { return c.local }

// SyscallConn gives access to the socket (syscall.Conn). The bytes that were read after the
// header are not in the socket any more, so they must have been read from the conn first.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if len(c.left) > 0 {
		return nil, fmt.Errorf("proxy: %d bytes after the PROXY header have not been read", len(c.left))
	}
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}
