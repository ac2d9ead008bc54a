package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

// runAgent runs a worker for the controller at the other end of standard input and output:
// another wsbench, on this host or beyond ssh.
func runAgent(ctx context.Context, args []string) error {
	if err := cmdline.ParseFlags(flag.NewFlagSet("agent", flag.ContinueOnError), args); err != nil {
		return err
	}
	if terminal.Is(os.Stdin) {
		return &usageError{Err: errors.New("an agent is started by another wsbench: see --agent")}
	}
	// An interrupt is for the controller, which ends this process.
	worker.Serve(context.WithoutCancel(ctx), worker.Stdio())
	return nil
}
