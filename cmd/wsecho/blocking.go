package main

import (
	"context"
	"net"
	"net/http"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
	_ "github.com/hawser-ws/hawser/wsproto/wsconn/enablehttp2"
)

// blocking echoes with the blocking driver: net/http's server, and a goroutine for each
// connection.
type blocking struct {
	http http.Server
	o    wsconn.AcceptOptions
}

// newBlocking returns a server with the limits of cfg that the blocking driver has, too. It
// takes WebSocket over HTTP/2 as well (RFC 8441): with TLS if the client chooses it, and
// without if the client knows.
func newBlocking(cfg *server.Config) *blocking {
	b := &blocking{o: wsconn.AcceptOptions{
		Origins:      cfg.Upgrader.Origins,
		Deflate:      cfg.Upgrader.Deflate,
		MaxMessage:   cfg.MaxMessage,
		MaxFragments: cfg.MaxFragments,
		CompressFrom: cfg.CompressFrom,
	}}
	b.http.Handler, b.http.TLSConfig = b, cfg.TLS
	b.http.Protocols = new(http.Protocols)
	b.http.Protocols.SetHTTP1(true)
	b.http.Protocols.SetHTTP2(true)
	b.http.Protocols.SetUnencryptedHTTP2(true)
	return b
}

func (b *blocking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		handshake.Refuse(w, r, noSuchPath("/"))
		return
	}
	c, err := wsconn.Accept(w, r, &b.o)
	if err != nil {
		return // the client has been answered
	}
	defer c.CloseNow()
	ctx := context.Background() // the end of r's does not concern a connection that was taken over
	for {
		op, p, err := c.Read(ctx)
		if err != nil || c.Write(ctx, op, p) != nil {
			return
		}
	}
}

// Serve implements service.
func (b *blocking) Serve(ln net.Listener) error {
	if b.http.TLSConfig != nil {
		return b.http.ServeTLS(ln, "", "") // its configuration has the certificate
	}
	return b.http.Serve(ln)
}

// Shutdown implements service. Connections end with the program.
func (b *blocking) Shutdown(context.Context) error { return b.http.Close() }

func noSuchPath(paths string) *handshake.Error {
	return &handshake.Error{Status: http.StatusNotFound, Reason: "no such path; use " + paths}
}
