package server

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Handler receives what happens on the connections. Its methods are called on
// the connection's loop, never two at once for one connection, and must not
// block. A panic in one ends that connection with 1011 and nothing else.
type Handler interface {
	// OnOpen is the first call for a connection.
	OnOpen(c Conn)

	// OnMessage hands over one message. p is valid until it returns and may be
	// modified. After Close was called on c no message is delivered any more.
	OnMessage(c Conn, op frame.Opcode, p []byte)

	// OnClose is called exactly once, last. err is a *CloseError. Sending to c
	// fails with ErrClosed.
	OnClose(c Conn, err error)
}

// Off turns a limit or a deadline of Config off.
const Off = -1

// Config says how a Server works. The zero value of a field means its default,
// Off (or any negative value) means no limit. It is not modified.
type Config struct {
	// Handler receives the connections. Required.
	Handler Handler

	// Upgrader verifies the opening handshakes, and turns permessage-deflate on
	// with its Deflate.
	Upgrader handshake.Upgrader

	// Admit, if set, is asked on net/http's goroutine before a handshake is
	// answered. Its value becomes the connection's Value. An error refuses the
	// handshake: with the status of a *handshake.Error, else with 403.
	Admit func(r *http.Request) (value any, err error)

	// HTTP serves what arrives at Serve's listener; it routes upgrades to
	// Server.ServeHTTP. By default the Server itself serves every path.
	HTTP http.Handler

	// Middleware, if set, is around everything that Serve answers, its refusals and
	// probes included: for headers that belong in every answer. RemoteAddr of its
	// requests is that of the connection, whatever ClientAddr says. It must not wrap
	// the ResponseWriter.
	Middleware func(http.Handler) http.Handler

	// ClientAddr, if set, says whom a request at Serve's listener comes from,
	// where a proxy in front names that in a header: it becomes the request's
	// RemoteAddr, is what the connection is counted on, and what Conn.RemoteAddr
	// returns. The zero AddrPort leaves the request as it is.
	ClientAddr func(r *http.Request) netip.AddrPort

	// TLS, if set, has Serve speak TLS: at least 1.2, with HTTP/1.1. Its
	// certificates can be exchanged by GetCertificate or GetConfigForClient, whose
	// Config has to set MinVersion itself;
	// with ClientAuth and ClientCAs it asks for the clients' own. net/http does
	// the handshake; then the connection moves to a loop like any other.
	TLS *tls.Config

	// Loops is the number of event loops. Default: GOMAXPROCS.
	Loops int

	// MaxMessage bounds a received message, in bytes. Default 64 KiB. There is
	// no Off: what is received is held in memory.
	MaxMessage int

	// MaxFragments bounds the frames of a received message. Default 1,024.
	MaxFragments int

	// CompressFrom is the length in bytes from which messages are compressed,
	// where permessage-deflate was agreed on. Default 128; Off: every one.
	CompressFrom int

	// MaxControlRate bounds the control frames received on a connection in a
	// second. Default 100. One more closes it with 1008.
	MaxControlRate int

	// WriteQueue bounds the bytes that wait to be written on a connection. A
	// message that would exceed it evicts the connection: whole unsent frames
	// are discarded, 1013 is sent. An empty queue always takes one message.
	// Above half of it nothing more is read from the connection, until it has come
	// down to a quarter (see WritableHandler). Default 1 MiB.
	WriteQueue int

	// MemoryBudget bounds what all connections together hold, in bytes: what waits
	// to be written and what has been received of messages that are not complete.
	// Above it handshakes are answered 503, and the connections that hold most are
	// closed with 1013. Default: no limit.
	MemoryBudget int

	// WriteTimeout evicts a connection of whose queue the kernel took no byte
	// for so long. Default 10 s.
	WriteTimeout time.Duration

	// PingInterval is the silence after which a connection is pinged, with the
	// time in decimal Unix milliseconds as payload. Default 30 s.
	PingInterval time.Duration

	// PingMisses is how many pings in a row may stay without a byte from the
	// peer; then the connection is closed. Default 2.
	PingMisses int

	// AssemblyTimeout bounds the time from a message's first byte to its last,
	// and grows by one second for every 64 KiB received. Too late closes with
	// 1008. Default 15 s.
	AssemblyTimeout time.Duration

	// CloseTimeout bounds the time from the first Close frame in either
	// direction, or from the peer's end of stream, to the end of the
	// connection. Default 5 s.
	CloseTimeout time.Duration

	// HandshakeTimeout bounds the time from accept to the end of a request's
	// header, for the listeners that Serve owns. Default 5 s.
	HandshakeTimeout time.Duration

	// MaxConns bounds the WebSockets in all, those in their handshake included. One
	// more is answered 503. Default: no limit.
	MaxConns int

	// AcceptRate bounds the connections that each listener of Serve's accepts in a
	// second, and as many at once: more wait in the system's queue, so that a crowd
	// that comes back leaves time for those who are there. Default: no limit.
	AcceptRate int

	// ReleaseAfter is how many handshakes make a burst: when no connection has been
	// taken over for a second after it, the memory that they left is returned to the
	// system, by one debug.FreeOSMemory. Default 1,000; Off: never.
	ReleaseAfter int

	// MaxConnsPerAddress bounds the WebSockets of one IPv4 address or IPv6 /64, those
	// in their handshake included. One more is answered 429. Default 2,000: all the
	// people of an office, or the customers who share one of a mobile carrier's
	// addresses, have some tabs and devices each.
	MaxConnsPerAddress int

	// MaxHTTPConns bounds the connections of Serve's that are not WebSockets, or not
	// yet: browsers keep several open for their next request. Beyond it the one that
	// is idle longest is closed in a newcomer's favour, or one whose request takes
	// more than 2 s to arrive. If every one is being served, the newcomer's request
	// is answered 503. Default: a quarter of the process's descriptors, and 4,096
	// where the system does not count them.
	MaxHTTPConns int

	// MaxHTTPConnsPerAddress bounds, likewise, those of one IPv4 address or IPv6 /64,
	// with 429. With ClientAddr a connection counts for an address from its first
	// request on; one that a proxy has sent, as long as it is being answered.
	// Default 1,000.
	MaxHTTPConnsPerAddress int

	// Probe, if set, is asked before each request at Serve's listener is held against
	// any limit. Where it returns a handler, that is a health probe, which the handler
	// answers even if the server is full: so it must be quick and cheap. Probes wait
	// for AcceptRate as everybody does, and may be turned away in a flood of
	// connections; only a listener of their own is safe from that.
	//
	// A connection that has a method ProbesOnly() bool which returns true is answered
	// nothing else.
	Probe func(r *http.Request) http.Handler

	// MaxHandshakeRate bounds the opening handshakes in a second; more are
	// answered 503. Default: no limit.
	MaxHandshakeRate int

	// Logger receives refusals, panics and slow handlers, through LimitLog. Default:
	// slog.Default().
	Logger *slog.Logger

	// Replaced by tests.
	now       func() time.Duration   // monotonic
	newKernel func() (kernel, error) // one for each loop

	sleep func(time.Duration)         // of an accept that comes too soon
	after func(time.Duration, func()) // calls in a goroutine of its own
	free  func()                      // returns memory to the system
}

// withDefaults fills in what is zero, and makes 0 of what is Off.
func (cfg Config) withDefaults() Config {
	number := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
		*v = max(*v, 0)
	}
	period := func(v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
		*v = max(*v, 0)
	}
	if cfg.Loops <= 0 {
		cfg.Loops = runtime.GOMAXPROCS(0)
	}
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = wsproto.DefaultMaxMessage
	}
	if cfg.MaxFragments == 0 { // Off keeps its meaning for wsproto
		cfg.MaxFragments = wsproto.DefaultMaxFragments
	}
	number(&cfg.MaxControlRate, 100)
	number(&cfg.WriteQueue, 1<<20)
	number(&cfg.MemoryBudget, Off)
	number(&cfg.PingMisses, 2)
	number(&cfg.MaxConnsPerAddress, 2000)
	number(&cfg.MaxHTTPConns, httpShare())
	number(&cfg.MaxHTTPConnsPerAddress, 1000)
	number(&cfg.MaxHandshakeRate, Off)
	number(&cfg.MaxConns, Off)
	number(&cfg.AcceptRate, Off)
	number(&cfg.ReleaseAfter, 1000)
	period(&cfg.WriteTimeout, 10*time.Second)
	period(&cfg.PingInterval, 30*time.Second)
	period(&cfg.AssemblyTimeout, 15*time.Second)
	period(&cfg.CloseTimeout, 5*time.Second)
	period(&cfg.HandshakeTimeout, 5*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Logger = slog.New(LimitLog(cfg.Logger.Handler()))
	if cfg.now == nil {
		start := time.Now()
		cfg.now = func() time.Duration { return time.Since(start) }
	}
	if cfg.sleep == nil {
		cfg.sleep = time.Sleep
	}
	if cfg.after == nil {
		cfg.after = func(d time.Duration, f func()) { time.AfterFunc(d, f) }
	}
	if cfg.free == nil {
		cfg.free = debug.FreeOSMemory
	}
	if cfg.newKernel == nil {
		cfg.newKernel = newKernel
	}
	return cfg
}
