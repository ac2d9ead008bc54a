package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
)

func main() {
	// The first signal closes the connection properly. A second one ends the process at
	// once, by the system's default action.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program; args does not include its name. When ctx is done it closes the
// connection properly. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		if _, err := fmt.Fprint(stdout, usage); err != nil {
			return exitStreams
		}
		return exitInOrder
	}
	scr := newScreen(stdout, stderr)
	if err != nil {
		scr.notice("%v", err)
		scr.notice("see wscat --help")
		return exitUsage
	}
	o.completeWait(terminal.Is(stdin))
	c, err := dial(ctx, o)
	if err != nil {
		scr.notice("%v", err)
		if errors.As(err, new(*usageError)) {
			return exitUsage
		}
		return exitNotConnected
	}
	if !o.once {
		scr.notice("%s", c.greeting())
	}
	return newSession(o, c.nc, scr).run(ctx, stdin, c.left)
}
