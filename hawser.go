// Package hawser is WebSocket (RFC 6455) for Go programs: clients and servers with
// blocking calls, for use by goroutines.
//
// A server accepts connections in a handler of net/http, under any server, with TLS or
// without, with any router and middleware:
//
//	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
//		c, err := hawser.Accept(w, r, nil)
//		if err != nil {
//			log.Print(err) // the client has been answered
//			return
//		}
//		defer c.CloseNow()
//		for {
//			op, p, err := c.Read(r.Context())
//			if err != nil {
//				return
//			}
//			if err := c.Write(r.Context(), op, p); err != nil {
//				return
//			}
//		}
//	})
//
// A client dials:
//
//	c, err := hawser.Dial(ctx, "wss://example.com/echo", nil)
//	if err != nil {
//		return err
//	}
//	defer c.CloseNow()
//	if err := c.Write(ctx, hawser.Text, []byte("hello")); err != nil {
//		return err
//	}
//	op, p, err := c.Read(ctx)
//	…
//	return c.Close(hawser.CloseNormal, "")
//
// Both get the same [Conn], with these methods:
//
//	Read(ctx) (Opcode, []byte, error)                  the next message
//	Reader(ctx) (Opcode, *MessageReader, error)        the next message, as an io.Reader
//	ReadJSON(ctx, &v) error                            the next message, decoded
//	Write(ctx, op, p, ...WriteOption) error            sends a message
//	Writer(ctx, op, ...WriteOption) (*MessageWriter, error)
//	                                                   sends a message, as an io.WriteCloser
//	WriteJSON(ctx, v, ...WriteOption) error            sends a value, encoded
//	WritePrepared(ctx, m, ...WriteOption) error        sends a message that is encoded once for many
//	CloseRead(ctx) context.Context                     reads for a program that only writes
//	Ping(ctx) (time.Duration, error)                   the time to the peer and back
//	Close(code, reason) error                          the close handshake
//	CloseNow()                                         the end, without it
//	SetMaxMessage(n)                                   the limit for what is read
//	Subprotocol() string                               what the handshake agreed on; see Handshake
//
// Any number of goroutines may call them. LocalAddr, RemoteAddr and Handshake describe the
// connection.
//
// # Options
//
// [AcceptOptions] and [DialOptions] are for the opening handshake and for the connection:
//
//	c, err := hawser.Accept(w, r, &hawser.AcceptOptions{
//		Origins:    []string{"https://chat.example", "http://localhost:3000"},
//		MaxMessage: 1 << 20,
//	})
//
// Origins are the web pages that may connect. By default, those of the server's own host and
// port may. A page on another port, such as a development server's, must be listed.
//
// # How connections end
//
// Read returns all messages that arrived before the end, and then an error: a
// [*CloseError] if the peer closed the connection, disappeared or broke the protocol,
// [ErrClosed] if this program closed it. After that, the connection only has to be closed
// by CloseNow, which can be deferred in any case:
//
//	var end *hawser.CloseError
//	switch {
//	case errors.As(err, &end) && end.Code == hawser.CloseGoingAway:
//		// the peer said goodbye
//	case errors.Is(err, io.EOF):
//		// the peer disappeared without a Close
//	}
//
// # Contexts
//
// Each call takes a context. If it ends while a Read waits, nothing is lost, and the
// connection can be used further. If it ends while a message is being written, the
// connection is closed, because the rest of the message can never be sent.
//
// # What is left to know
//
//   - Messages above 64 KiB are refused unless MaxMessage of the options says otherwise.
//     With Stream, Reader takes messages of any size in bounded memory.
//   - Accept also takes WebSocket over HTTP/2 (RFC 8441), in programs that import package
//     wsproto/wsconn/enablehttp2.
//   - Pings are answered, and the peer's Close is noticed, only while something reads.
//   - A peer whose network fails sends no Close, and TCP may take minutes to notice. To
//     know earlier, call Ping at intervals, with a context that ends, and CloseNow if it
//     fails.
//   - Dial connects directly, unless DialOptions.Proxy says otherwise:
//     [ProxyFromEnvironment] does what HTTP_PROXY and HTTPS_PROXY say.
//   - Package [wsconn], which this package gives shorter names, has connection pools and
//     reconnecting clients, and says more about proxies, contexts and errors.
//   - Package wsproto/wstest has connections in memory for tests without a network.
//   - Package server is for many thousands of connections: an event loop with callbacks
//     instead of goroutines.
//   - In a browser (GOOS=js), Dial does not work.
package hawser

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// Dial connects to a WebSocket server. The URL's scheme is ws or wss; http and https mean
// the same. ctx limits the opening handshake, not the connection. If the server refuses,
// the error is a [*HandshakeError]. A nil o means the defaults. See [wsconn.Dial].
func Dial(ctx context.Context, url string, o *DialOptions) (*Conn, error) {
	return wsconn.Dial(ctx, url, o)
}

// Accept answers a client's opening handshake, in a handler of net/http, and returns the
// connection. If it fails, the client has been answered, and the handler should return.
// r.Context() is valid until the handler returns; it does not end when the client goes away,
// which Read notices. A nil o means the defaults: among others, web pages may connect only
// from the server's own host and port. See [wsconn.Accept].
func Accept(w http.ResponseWriter, r *http.Request, o *AcceptOptions) (*Conn, error) {
	return wsconn.Accept(w, r, o)
}

// ProxyFromEnvironment is a DialOptions.Proxy that uses the proxies that HTTP_PROXY,
// HTTPS_PROXY and NO_PROXY name. See [wsconn.ProxyFromEnvironment].
func ProxyFromEnvironment(target *url.URL) (*url.URL, error) {
	return wsconn.ProxyFromEnvironment(target)
}

// ProxyURL returns a DialOptions.Proxy that always uses the given proxy. See
// [wsconn.ProxyURL].
func ProxyURL(proxy *url.URL) func(*url.URL) (*url.URL, error) { return wsconn.ProxyURL(proxy) }

// NetConn returns c as a net.Conn whose bytes are sent in messages with opcode op. See
// [wsconn.NetConn].
func NetConn(ctx context.Context, c *Conn, op Opcode) net.Conn {
	return wsconn.NetConn(ctx, c, op)
}

// Connections.
type (
	// Conn is one connection. See [wsconn.Conn] for its methods.
	Conn = wsconn.Conn

	// MessageReader reads one message; Conn.Reader returns it.
	MessageReader = wsconn.MessageReader

	// MessageWriter writes one message; Conn.Writer returns it.
	MessageWriter = wsconn.MessageWriter
)

// Prepared is a message for many connections, which is encoded once. It is immutable.
type Prepared = wsproto.Prepared

// NewPrepared encodes a message with a copy of p, for [Conn.WritePrepared]. A text must be UTF-8, which
// is not checked.
func NewPrepared(op Opcode, p []byte) *Prepared { return wsproto.NewPrepared(op, p) }

// Options. The zero value of each means the defaults.
type (
	// DialOptions are for Dial: Header, Host, Subprotocols, TLSConfig, Proxy, Jar and
	// others, and MaxMessage, Stream, CompressFrom and other fields for the connection.
	DialOptions = wsconn.DialOptions

	// AcceptOptions are for Accept: Origins, CheckOrigin, Subprotocols, Deflate and
	// others, and MaxMessage, Stream, CompressFrom and other fields for the connection.
	AcceptOptions = wsconn.AcceptOptions

	// Deflate enables compression (permessage-deflate, RFC 7692), as the field Deflate of
	// DialOptions and AcceptOptions.
	Deflate = handshake.DeflateOptions

	// WriteOption changes how one message is sent: Compress or NoCompress.
	WriteOption = wsconn.WriteOption
)

// The values of WriteOption.
const (
	Compress   = wsconn.Compress
	NoCompress = wsconn.NoCompress
)

// Opcode is the kind of a message: Text, which is UTF-8, or Binary.
type Opcode = frame.Opcode

// The opcodes of messages.
const (
	Text   = frame.Text
	Binary = frame.Binary
)

// CloseCode says in a Close frame why a connection ends (RFC 6455 §7.4). Programs may use
// 3000 to 4999 for their own purposes.
type CloseCode = wsproto.CloseCode

// The registered close codes.
const (
	CloseNormal          = wsproto.CloseNormal          // 1000
	CloseGoingAway       = wsproto.CloseGoingAway       // 1001: a server stops, a page is left
	CloseProtocolError   = wsproto.CloseProtocolError   // 1002
	CloseUnsupportedData = wsproto.CloseUnsupportedData // 1003
	CloseNoStatus        = wsproto.CloseNoStatus        // 1005: the Close frame had no code
	CloseAbnormal        = wsproto.CloseAbnormal        // 1006: there was no Close frame
	CloseInvalidPayload  = wsproto.CloseInvalidPayload  // 1007: a text was not UTF-8
	ClosePolicyViolation = wsproto.ClosePolicyViolation // 1008
	CloseMessageTooBig   = wsproto.CloseMessageTooBig   // 1009
	CloseInternalError   = wsproto.CloseInternalError   // 1011
	CloseServiceRestart  = wsproto.CloseServiceRestart  // 1012
	CloseTryAgainLater   = wsproto.CloseTryAgainLater   // 1013
)

// Errors.
type (
	// CloseError says how a connection ended, unless this program ended it.
	CloseError = wsproto.CloseError

	// PeerError says how the peer broke the protocol or a limit. errors.As finds it in a
	// CloseError.
	PeerError = wsproto.PeerError

	// UsageError says that this program asked for something that RFC 6455 forbids.
	UsageError = wsproto.UsageError

	// HandshakeError says why the opening handshake was refused: to Dial by the server, by
	// Accept to the client.
	HandshakeError = handshake.Error
)

// ErrClosed is returned, possibly wrapped, after this program has closed the connection.
// errors.Is says that it is net.ErrClosed, too.
var ErrClosed = wsconn.ErrClosed
