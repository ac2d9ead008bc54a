package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// client is a connection of another library's client. A message is text or binary.
type client interface {
	send(text bool, p []byte) error
	receive() (text bool, p []byte, err error)

	// close performs the closing handshake, and returns what the server's Close says.
	close(code int, reason string) (closed, error)

	subprotocol() string
	drop() // ends the connection, whatever its state
}

// closed is what receive's error says if the server's Close was received.
type closed struct {
	code   int
	reason string
}

func (c *closed) Error() string { return c.reason }

// patience is how long a client waits for anything.
const patience = 20 * time.Second

// dialers are the clients, by library. tlsConfig is for wss.
var dialers = map[string]func(url string, tlsConfig *tls.Config, compress bool) (client, error){
	"gorilla": dialGorilla, "coder": dialCoder, "gws": dialGWS, "gobwas": dialGobwas,
}

const subprotocol = "echo.v1"

type gorillaClient struct{ c *gorilla.Conn }

func dialGorilla(url string, tlsConfig *tls.Config, compress bool) (client, error) {
	d := gorilla.Dialer{TLSClientConfig: tlsConfig, EnableCompression: compress, Subprotocols: []string{subprotocol}}
	c, _, err := d.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	c.SetReadDeadline(time.Now().Add(patience))
	return gorillaClient{c}, nil
}

func (g gorillaClient) send(text bool, p []byte) error {
	kind := gorilla.BinaryMessage
	if text {
		kind = gorilla.TextMessage
	}
	return g.c.WriteMessage(kind, p)
}

func (g gorillaClient) receive() (bool, []byte, error) {
	kind, p, err := g.c.ReadMessage()
	var end *gorilla.CloseError
	if errors.As(err, &end) {
		err = &closed{end.Code, end.Text}
	}
	return kind == gorilla.TextMessage, p, err
}

func (g gorillaClient) close(code int, reason string) (closed, error) {
	g.c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, reason), time.Now().Add(patience))
	return awaitClose(g)
}

func (g gorillaClient) subprotocol() string { return g.c.Subprotocol() }
func (g gorillaClient) drop()               { g.c.Close() }

// awaitClose reads until the server's Close.
func awaitClose(c client) (closed, error) {
	for {
		_, _, err := c.receive()
		if end, ok := errors.AsType[*closed](err); ok {
			return *end, nil
		}
		if err != nil {
			return closed{}, err
		}
	}
}

type coderClient struct{ c *coder.Conn }

func dialCoder(url string, tlsConfig *tls.Config, compress bool) (client, error) {
	o := &coder.DialOptions{Subprotocols: []string{subprotocol}, HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig}}}
	if compress {
		o.CompressionMode = coder.CompressionContextTakeover
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := coder.Dial(ctx, url, o)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(-1)
	return coderClient{c}, nil
}

func (c coderClient) send(text bool, p []byte) error {
	kind := coder.MessageBinary
	if text {
		kind = coder.MessageText
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.c.Write(ctx, kind, p)
}

func (c coderClient) receive() (bool, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kind, p, err := c.c.Read(ctx)
	var end coder.CloseError
	if errors.As(err, &end) {
		err = &closed{int(end.Code), end.Reason}
	}
	return kind == coder.MessageText, p, err
}

// close returns what it sent: Close succeeds only if the server has answered with the same.
func (c coderClient) close(code int, reason string) (closed, error) {
	return closed{code, reason}, c.c.Close(coder.StatusCode(code), reason)
}

func (c coderClient) subprotocol() string { return c.c.Subprotocol() }
func (c coderClient) drop()               { c.c.CloseNow() }

// gwsClient turns the events of gws into calls.
type gwsClient struct {
	gws.BuiltinEventHandler
	c        *gws.Conn
	protocol string
	messages chan gwsMessage
}

type gwsMessage struct {
	text bool
	p    []byte
	err  error
}

func dialGWS(url string, tlsConfig *tls.Config, compress bool) (client, error) {
	g := &gwsClient{messages: make(chan gwsMessage, 64)}
	o := &gws.ClientOption{Addr: url, TlsConfig: tlsConfig, RequestHeader: http.Header{"Sec-WebSocket-Protocol": {subprotocol}}, ReadMaxPayloadSize: 64 << 20}
	o.PermessageDeflate = gws.PermessageDeflate{Enabled: compress, ServerContextTakeover: true, ClientContextTakeover: true}
	c, answer, err := gws.NewClient(g, o)
	if err != nil {
		return nil, err
	}
	g.c, g.protocol = c, answer.Header.Get("Sec-WebSocket-Protocol") // SubProtocol is for servers
	go c.ReadLoop()
	return g, nil
}

func (g *gwsClient) OnMessage(_ *gws.Conn, m *gws.Message) {
	g.messages <- gwsMessage{text: m.Opcode == gws.OpcodeText, p: append([]byte{}, m.Bytes()...)}
	m.Close()
}

func (g *gwsClient) OnClose(_ *gws.Conn, err error) {
	var end *gws.CloseError
	if errors.As(err, &end) {
		err = &closed{int(end.Code), string(end.Reason)}
	}
	g.messages <- gwsMessage{err: err}
}

func (g *gwsClient) send(text bool, p []byte) error {
	if text {
		return g.c.WriteMessage(gws.OpcodeText, p)
	}
	return g.c.WriteMessage(gws.OpcodeBinary, p)
}

func (g *gwsClient) receive() (bool, []byte, error) {
	select {
	case m := <-g.messages:
		return m.text, m.p, m.err
	case <-time.After(patience):
		return false, nil, context.DeadlineExceeded
	}
}

// close returns what it sent: gws does not read the answer.
func (g *gwsClient) close(code int, reason string) (closed, error) {
	return closed{code, reason}, g.c.WriteClose(uint16(code), []byte(reason))
}

func (g *gwsClient) subprotocol() string { return g.protocol }
func (g *gwsClient) drop()               { g.c.NetConn().Close() }

type gobwasClient struct {
	nc       net.Conn
	protocol string
}

func dialGobwas(url string, tlsConfig *tls.Config, _ bool) (client, error) {
	d := ws.Dialer{TLSConfig: tlsConfig, Protocols: []string{subprotocol}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nc, _, h, err := d.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(patience))
	return gobwasClient{nc, h.Protocol}, nil
}

func (g gobwasClient) send(text bool, p []byte) error {
	op := ws.OpBinary
	if text {
		op = ws.OpText
	}
	return wsutil.WriteClientMessage(g.nc, op, p)
}

func (g gobwasClient) receive() (bool, []byte, error) {
	p, op, err := wsutil.ReadServerData(g.nc)
	var end wsutil.ClosedError
	if errors.As(err, &end) {
		err = &closed{int(end.Code), end.Reason}
	}
	return op == ws.OpText, p, err
}

func (g gobwasClient) close(code int, reason string) (closed, error) {
	if err := wsutil.WriteClientMessage(g.nc, ws.OpClose, ws.NewCloseFrameBody(ws.StatusCode(code), reason)); err != nil {
		return closed{}, err
	}
	return awaitClose(g)
}

func (g gobwasClient) subprotocol() string { return g.protocol }
func (g gobwasClient) drop()               { g.nc.Close() }
