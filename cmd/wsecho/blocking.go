package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// blocking echoes with the blocking driver: net/http's server, and a goroutine for each
// connection.
type blocking struct {
	http http.Server
	tls  *tls.Config // nil: none
	o    wsconn.AcceptOptions
}

// newBlocking returns a server with the limits of cfg that the blocking driver has, too.
func newBlocking(cfg *server.Config) *blocking {
	b := &blocking{tls: cfg.TLS, o: wsconn.AcceptOptions{
		Origins:      cfg.Upgrader.Origins,
		Deflate:      cfg.Upgrader.Deflate,
		MaxMessage:   cfg.MaxMessage,
		MaxFragments: cfg.MaxFragments,
		CompressFrom: cfg.CompressFrom,
	}}
	b.http.Handler = b
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
	if b.tls != nil {
		ln = tls.NewListener(ln, b.tls)
	}
	return b.http.Serve(ln)
}

// Shutdown implements service. Connections end with the program.
func (b *blocking) Shutdown(context.Context) error { return b.http.Close() }

func noSuchPath(paths string) *handshake.Error {
	return &handshake.Error{Status: http.StatusNotFound, Reason: "no such path; use " + paths}
}
