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
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

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
	listen, cfg, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	h := &handler{}
	cfg.Handler = h
	s, err := server.New(cfg)
	if err != nil {
		return err
	}
	h.fanout = s.NewGroup()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("wsecho: echo on ws://%s/, fan-out on ws://%s/fanout; stop with Ctrl-C\n", ln.Addr(), ln.Addr())

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

// parse turns the command line into a configuration. 0 means no limit.
func parse(args []string) (listen string, cfg server.Config, err error) {
	f := flag.NewFlagSet("wsecho", flag.ContinueOnError)
	f.StringVar(&listen, "listen", "127.0.0.1:9001", "`address` to listen on")
	f.IntVar(&cfg.Loops, "loops", 0, "event loops (0: one for each core)")
	f.IntVar(&cfg.MaxMessage, "max-message", 64<<20, "largest message taken, in `bytes`")
	f.IntVar(&cfg.MaxFragments, "max-fragments", 0, "most frames in a message (0: no limit)")
	f.IntVar(&cfg.MaxControlRate, "max-control-rate", 0, "most control frames in a second (0: no limit)")
	f.IntVar(&cfg.WriteQueue, "write-queue", 64<<20, "`bytes` that may wait to be written on a connection (0: no limit)")
	f.DurationVar(&cfg.AssemblyTimeout, "assembly-timeout", 120*time.Second, "longest time from a message's first byte to its last (0: no limit)")
	f.DurationVar(&cfg.PingInterval, "ping", 0, "silence after which a connection is pinged (0: never)")
	deflate := f.Bool("deflate", false, "agree on permessage-deflate, with whatever parameters a client offers")
	if err := f.Parse(args); err != nil {
		return "", cfg, err
	}
	if f.NArg() > 0 {
		return "", cfg, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if cfg.MaxMessage < 1 {
		return "", cfg, fmt.Errorf("--max-message is %d; it must be at least 1 byte", cfg.MaxMessage)
	}
	for name, v := range map[string]*int{
		"--loops": &cfg.Loops, "--max-fragments": &cfg.MaxFragments,
		"--max-control-rate": &cfg.MaxControlRate, "--write-queue": &cfg.WriteQueue,
	} {
		if *v < 0 {
			return "", cfg, fmt.Errorf("%s is %d; it must not be negative", name, *v)
		}
		if *v == 0 && name != "--loops" {
			*v = server.Off
		}
	}
	for name, v := range map[string]*time.Duration{"--assembly-timeout": &cfg.AssemblyTimeout, "--ping": &cfg.PingInterval} {
		if *v < 0 {
			return "", cfg, fmt.Errorf("%s is %v; it must not be negative", name, *v)
		}
		if *v == 0 {
			*v = server.Off
		}
	}
	cfg.MaxConnsPerAddress = server.Off
	cfg.Upgrader = handshake.Upgrader{Origins: []string{"*"}}
	if *deflate {
		cfg.Upgrader.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true}
		cfg.CompressFrom = server.Off
	}
	cfg.Admit = admit
	return listen, cfg, nil
}

// admit tells the two paths apart: the connection's value is true on /fanout.
func admit(r *http.Request) (any, error) {
	switch r.URL.Path {
	case "/":
		return false, nil
	case "/fanout":
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
