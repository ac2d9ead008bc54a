package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

// runAgent runs a worker for a controller on another host.
func runAgent(ctx context.Context, args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("agent", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	listen := f.String("listen", "", "")
	tokenFile := f.String("token-file", "", "")
	stdio := f.Bool("stdio", false, "") // for wsbench itself
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return &usageError{Err: err}
	}
	if *stdio {
		// An interrupt is for the controller, which ends this process.
		worker.Serve(context.WithoutCancel(ctx), worker.Stdio())
		return nil
	}
	if *listen == "" || f.NArg() > 0 {
		return &usageError{Err: errors.New("agent needs --listen ADDRESS, and takes no arguments except --token-file FILE")}
	}
	token, err := worker.ReadToken(*tokenFile)
	if err != nil {
		return &usageError{Err: err}
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "wsbench: agent at %s\n", ln.Addr())
	return worker.ListenAndServe(ctx, ln, token, func(s string) { fmt.Fprintln(stderr, "wsbench: agent:", s) })
}
