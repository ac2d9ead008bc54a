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

	"github.com/hawser-ws/hawser/cmd/internal/buildinfo"
	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
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
	if len(args) == 2 && args[0] == "completion" {
		if err := cmdline.Completion(stdout, args[1], "wscat", nil, new(options).flags()); err != nil {
			fmt.Fprintln(stderr, "wscat:", err)
			return exitUsage
		}
		return exitInOrder
	}
	if len(args) == 1 && (args[0] == "--version" || args[0] == "-version") {
		if _, err := fmt.Fprintln(stdout, "wscat", buildinfo.Version()); err != nil {
			return exitStreams
		}
		return exitInOrder
	}
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
