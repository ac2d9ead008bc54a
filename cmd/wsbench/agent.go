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

// runAgent works for a controller.
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
		// An interrupt concerns the controller, whose end is ours.
		worker.Serve(context.WithoutCancel(ctx), worker.Stdio())
		return nil
	}
	if *listen == "" || f.NArg() > 0 {
		return &usageError{Err: errors.New("agent wants --listen ADDRESS, and nothing else but --token-file FILE")}
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
