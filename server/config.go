package server

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Handler receives what happens on the connections. Its methods are called on
// the connection's loop, never two at once for one connection, and must not
// block. A panic in one ends that connection with 1011 and nothing else. But
// runtime.Goexit, which FailNow and Fatal of package testing call, would end the loop, so
// it ends the process.
type Handler interface {
	// OnOpen is the first call for a connection.
	OnOpen(c LoopConn)

	// OnMessage delivers one message. p is valid until OnMessage returns and may be
	// modified. Once Close has been called on c, no more messages are delivered.
	OnMessage(c LoopConn, op frame.Opcode, p []byte)

	// OnClose is called exactly once, as the last call for a connection. err is a
	// *CloseError. Sending to c fails with ErrClosed, and its address may be unknown by
	// now; see LoopConn.RemoteAddr.
	OnClose(c LoopConn, err error)
}

// Off disables a limit or a deadline of Config.
const Off = -1

// Config configures a Server. The zero value of a field means its default; Off (or
// any negative value) means no limit. New does not modify it.
type Config struct {
	// Handler receives the connections. Required. Handler, Upgrader, Admit, MaxMessage,
	// MaxFragments and CompressFrom are those of Server.ServeHTTP and Adopt; Server.Endpoint
	// serves other paths with others.
	Handler Handler

	// Upgrader verifies the opening handshakes. Its Deflate field enables
	// permessage-deflate.
	Upgrader handshake.Upgrader

	// Admit, if set, decides about each opening handshake that Upgrader has found valid:
	// its form, version and key are right, and its Origin, if it has one, may connect. It
	// runs on a goroutine, so it may block, and before the answer; many may run at once. The
	// value that it returns becomes the connection's Value.
	//
	// An error refuses the handshake. A *handshake.Error is answered with its Status,
	// Header and Reason; any other error with 403, and its text only goes to Refused and
	// the log.
	//
	// The context of r has the values of the original request's context, such as
	// middleware put there, and lives as long as the connection: it ends after OnClose, or
	// when the handshake fails. While Admit runs, it also ends when the client gives up.
	Admit func(r *http.Request) (value any, err error)

	// Refused, if set, is called with each request that is refused as an opening handshake
	// or because of a limit, with the status and the text of its answer. The request's
	// RemoteAddr is the client's. It must not block.
	Refused func(r *http.Request, status int, reason string)

	// Unused, if set, is called with the peer's address of a connection at Serve's listener
	// that ended without a request. Browsers open a few in advance; a client that opens many
	// holds places that others need. It must not block.
	Unused func(peer netip.Addr)

	// HTTP handles the requests that arrive at Serve's listener, except those of Paths and
	// Endpoint.Paths; it may route others to Server.ServeHTTP or an EndpointHandler. By
	// default the Server itself handles every path.
	HTTP http.Handler

	// Paths are, where there is an HTTP, the paths that the Server itself handles. What
	// Endpoint.Paths says of an endpoint goes for them.
	Paths []string

	// Banned, if set, returns nil for the address of a client that may connect, and otherwise
	// the answer to its requests. A connection at Serve's listener from a banned address is
	// closed as soon as it is accepted: nothing is read from it or written to it, not even for
	// TLS, and no limit counts it. A request gets the answer where only the
	// request tells the client's address (see ClientAddr), or where the ban is newer than the
	// connection; health probes are answered nevertheless, and Refused is not called.
	//
	// It is called for every connection and every request, by goroutines that accept
	// connections and by loops: it must be quick and must not block. It is not called for the
	// peers of a Unix socket, which have no address.
	Banned func(client netip.Addr) *handshake.Error

	// HTTPServer, if set, is called with each http.Server that Serve makes, before it
	// serves. It may set timeouts, MaxHeaderBytes, Protocols, HTTP2, ErrorLog, BaseContext,
	// ConnContext and ConnState, and call RegisterOnShutdown. See Serve for the defaults.
	HTTPServer func(hs *http.Server)

	// Middleware, if set, wraps everything that Serve answers, refusals and probes
	// included. Use it for headers that belong in every answer. The RemoteAddr of its
	// requests is the connection's, whatever ClientAddr returns. It must not wrap the
	// ResponseWriter.
	Middleware func(http.Handler) http.Handler

	// ClientAddr, if set, returns the client's address of a request at Serve's
	// listener, for servers behind a proxy that names the client in a header. The
	// address becomes the request's RemoteAddr, is the one that limits per address
	// count, and is what LoopConn.RemoteAddr returns. The zero AddrPort leaves the request
	// as it is.
	ClientAddr func(r *http.Request) netip.AddrPort

	// TLS, if set, makes Serve speak TLS: at least 1.2, with HTTP/1.1, or also HTTP/2 for
	// Config.HTTP if NextProtos contains "h2". Certificates
	// can be replaced at run time with GetCertificate or GetConfigForClient; a Config
	// that the latter returns must set MinVersion itself. ClientAuth and ClientCAs
	// request client certificates. net/http does the handshake; then the connection
	// moves to a loop like any other.
	TLS *tls.Config

	// Loops is the number of event loops. Default: GOMAXPROCS.
	Loops int

	// MaxMessage is the maximum size of a received message in bytes. Default 64 KiB.
	// It cannot be Off, because received messages are held in memory.
	MaxMessage int

	// MaxFragments is the maximum number of frames in a received message. Default
	// 1,024, but no limit with a FragmentHandler.
	MaxFragments int

	// CompressFrom is the length in bytes from which messages are compressed,
	// where permessage-deflate was negotiated. Default 128; 1 compresses every
	// message, Off none.
	CompressFrom int

	// MaxControlRate is the maximum number of control frames received on a connection
	// per second. Exceeding it closes the connection with 1008. Default 100.
	MaxControlRate int

	// WriteQueue is the maximum number of bytes that wait to be written on a
	// connection. A message that would exceed it is refused with ErrQueueFull; a group
	// treats it as its Policy says. An empty queue always takes one message. While more
	// than half of it is used, nothing is read from the connection; reading resumes at a
	// quarter (see WritableHandler). Default 1 MiB.
	WriteQueue int

	// MemoryBudget is the maximum number of bytes that all connections together hold:
	// those that wait to be written, and those received of incomplete messages. Above
	// it handshakes are answered with 503, and the connections that hold the most are
	// closed with 1013. Default: no limit.
	MemoryBudget int

	// WriteTimeout evicts a connection whose queue has made no progress for this
	// long. Default 10 s.
	WriteTimeout time.Duration

	// PingInterval is the silence after which a connection is pinged. The ping's
	// payload is the time in decimal Unix milliseconds. Default 30 s.
	PingInterval time.Duration

	// PingMisses is the number of pings in a row that may go by without a byte from
	// the peer before the connection is closed. Default 2.
	PingMisses int

	// AssemblyTimeout is the maximum time from a message's first byte to its last. It
	// grows by one second for every 64 KiB received. Exceeding it closes the
	// connection with 1008. Default 15 s.
	AssemblyTimeout time.Duration

	// CloseTimeout is the maximum time from the first Close frame in either
	// direction, or from the peer's end of stream, to the end of the
	// connection. Default 5 s.
	CloseTimeout time.Duration

	// HandshakeTimeout is the maximum time from accept to the end of a request's
	// header, on Serve's listeners; without Config.HTTP, to the end of its body. Default
	// 5 s.
	HandshakeTimeout time.Duration

	// MaxConns is the maximum number of WebSockets, those in their handshake included.
	// Further handshakes are answered with 503. Default: no limit.
	MaxConns int

	// AcceptRate is the maximum number of connections that each of Serve's listeners
	// accepts per second, and the largest burst. Further ones wait in the system's
	// queue, so that a crowd of reconnecting clients leaves time for the established
	// connections. Default: no limit.
	AcceptRate int

	// ReleaseAfter is the number of allocated bytes that make a burst. When, after a burst,
	// the process has allocated hardly anything for a second, the memory that the burst
	// used is returned to the system by one debug.FreeOSMemory; that is not done more
	// often than once for each half of the live heap. 16 MiB is what about a thousand
	// handshakes allocate. Default: never, because it concerns the whole process.
	ReleaseAfter int

	// BusyPoll is how long a loop that has had much to do waits for more without giving its
	// processor to other goroutines. That saves a tenth of the time in a program that does
	// little else, on Linux; 50 µs are enough. In others it delays goroutines that are ready to
	// run, by as much for each time that a loop waits. Default: not at all.
	BusyPoll time.Duration

	// MaxConnsPerAddress is the maximum number of WebSockets from one IPv4 address or
	// IPv6 /64, those in their handshake included. Further handshakes are answered
	// with 429. Default 2,000: an office, or the customers who share one address of a
	// mobile carrier, have several tabs and devices each.
	MaxConnsPerAddress int

	// MaxHTTPConns is the maximum number of Serve's connections that are not
	// WebSockets, or not yet: browsers keep several open for their next request. A
	// newcomer beyond it displaces the connection that has been idle longest, or else
	// one whose request has taken more than 2 s to arrive. If all of them are being
	// served, the newcomer's request is answered with 503. Default: a quarter of the
	// process's descriptors, or 4,096 where the system has no limit to ask for.
	MaxHTTPConns int

	// MaxHTTPConnsPerAddress is the same for one IPv4 address or IPv6 /64; the answer
	// is 429. It counts connections whose first request has not come, and those whose
	// request is being answered, but not those that are kept open for another one. With
	// ClientAddr, a connection counts for the client that the request names, and only
	// while that request is being answered. Default 1,000.
	MaxHTTPConnsPerAddress int

	// MaxRequestRatePerAddress is the maximum number of requests per second at Serve's
	// listeners, opening handshakes included, from one IPv4 address or IPv6 /64, and
	// RequestBurstPerAddress how many of them may come at once; if that is 0, it is as many
	// as per second. Further ones are answered with 429. Default: no limit.
	MaxRequestRatePerAddress int
	RequestBurstPerAddress   int

	// Probe, if set, is called with each request at Serve's listener before any limit
	// is applied. If it returns a handler, the request is a health probe, and that
	// handler answers it even if the server is full; so it must be quick and cheap.
	// Probes are subject to AcceptRate like everything else, and may be turned away in
	// a flood of connections; only a listener of their own avoids that.
	//
	// A request with an Upgrade field at one of Paths or Endpoint.Paths is no probe.
	//
	// A connection that has a method ProbesOnly() bool which returns true is answered
	// nothing but probes.
	Probe func(r *http.Request) http.Handler

	// MaxAdmitting is the maximum number of opening handshakes at a time about which Admit, Probe
	// and an Upgrader's functions are asked, where loops read them (see Serve); on net/http's
	// goroutines they are not limited. Further ones wait, for as long as HandshakeTimeout, and
	// are then answered with 503. Default 256.
	MaxAdmitting int

	// MaxHandshakeRate is the maximum number of opening handshakes per second; further
	// ones are answered with 503. Default: no limit.
	MaxHandshakeRate int

	// Logger receives refusals, panics and slow handlers, through LimitLog. Default:
	// slog.Default().
	Logger *slog.Logger

	// Replaced by tests.
	now       func() time.Duration   // monotonic
	newKernel func() (kernel, error) // one for each loop
	leaseTime time.Duration          // how long a loop may keep the listener without looking at it
}

// withDefaults replaces zero values by their defaults, and Off by 0.
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
	number(&cfg.MaxControlRate, 100)
	number(&cfg.WriteQueue, 1<<20)
	number(&cfg.MemoryBudget, Off)
	number(&cfg.PingMisses, 2)
	number(&cfg.MaxConnsPerAddress, 2000)
	number(&cfg.MaxHTTPConns, httpShare())
	number(&cfg.MaxHTTPConnsPerAddress, 1000)
	number(&cfg.MaxAdmitting, 256)
	number(&cfg.MaxHandshakeRate, Off)
	number(&cfg.MaxRequestRatePerAddress, Off)
	number(&cfg.RequestBurstPerAddress, Off)
	number(&cfg.MaxConns, Off)
	number(&cfg.AcceptRate, Off)
	number(&cfg.ReleaseAfter, Off)
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
	period(&cfg.leaseTime, slowTurn)
	if cfg.newKernel == nil {
		busyPoll := max(cfg.BusyPoll, 0)
		cfg.newKernel = func() (kernel, error) { return newKernel(busyPoll) }
	}
	return cfg
}
