// Command wsecho is the WebSocket server that conformance and speed are
// measured on: path / echoes each message, path /fanout sends each message to
// everybody on that path. Its limits are as wide as a test may need; it is not
// a server to put on a network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/certs"
	"github.com/hawser-ws/hawser/cmd/internal/listen"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "wsecho:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	h := &handler{}
	o.server.Handler = h
	if !o.tls.None() {
		source, err := certs.Open(o.tls, certs.Options{})
		if err != nil {
			return err
		}
		source.ReloadOnHangup()
		o.server.TLS = source.Config()
	}
	s, err := server.New(o.server)
	if err != nil {
		return err
	}
	h.fanout = s.NewGroup()
	ln, err := o.listen.Open()
	if err != nil {
		return err
	}
	fmt.Println("wsecho:", where(listen.URL(ln.Addr(), !o.tls.None()))+"; stop with Ctrl-C")
	if o.proxyProtocol {
		ln = proxy.NewListener(ln, proxy.Options{Trusted: o.trusted})
	}

	failed := make(chan error, 1)
	go func() { failed <- s.Serve(ln) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.Shutdown(ctx)
}

// where says under which addresses the two paths are.
func where(url string) string {
	if strings.HasPrefix(url, "unix:") {
		return "echo on " + url + ", fan-out on its path /fanout"
	}
	url = "ws" + strings.TrimPrefix(url, "http")
	return "echo on " + url + ", fan-out on " + url + "fanout"
}

// admit tells the two paths apart: the connection's value is true on /fanout.
func admit(r *http.Request) (any, error) {
	switch r.URL.Path {
	case "/":
		return false, nil
	case "/fanout", "/fanout/":
		return true, nil
	}
	return nil, &handshake.Error{Status: http.StatusNotFound, Reason: "no such path; there are / and /fanout"}
}

type handler struct{ fanout *server.Group }

func (h *handler) OnOpen(c server.Conn) {
	if c.Value() == true {
		h.fanout.Join(c)
	}
}

func (h *handler) OnMessage(c server.Conn, op frame.Opcode, p []byte) {
	if c.Value() == true {
		h.fanout.Send(wsproto.NewPrepared(op, p), server.Evict)
		return
	}
	if c.Send(op, p) == server.ErrBusy {
		c.Close(wsproto.CloseTryAgainLater, "echo queue is full")
	}
}

func (h *handler) OnClose(server.Conn, error) {}
