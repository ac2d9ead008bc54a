package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hawser-ws/hawser/cmd/internal/buildinfo"
	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/interrupt"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
)

// Exit statuses.
const (
	exitGood   = 0
	exitFailed = 1 // the run was completed, and something was wrong
	exitUsage  = 2
	exitNoRun  = 3 // the run could not be done or completed
	// exitThreshold is what k6's users expect.
	exitThreshold = 99 // the run was good, and a --threshold does not hold
	// and 128 with a signal's number: interrupted by it
)

func main() {
	// Servers that compare has started end with this process: see trial's guard.
	ctx, end, stop := interrupt.Context(context.Background(), nil)
	stdout := interrupt.NewStdout(os.Stdout, end)
	status, err := stdout.Status(program(ctx, os.Args[1:], stdout, os.Stderr), exitNoRun)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wsbench:", err)
	}
	stop()
	os.Exit(status)
}

// usageError is an error in the command line.
type usageError = cmdline.Error

// errFailed means that the run was completed but something was wrong, which has been
// reported.
var errFailed = errors.New("failed")

// errThreshold means that a threshold does not hold, which has been reported.
var errThreshold = errors.New("a threshold does not hold")

// program runs a command line; args does not include the program's name. It returns the
// exit status.
func program(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	stdout, stderr = escaped(stdout), escaped(stderr)
	err := dispatch(ctx, args, stdout, stderr)
	var usage *usageError
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help(args))
		return exitGood
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.Is(err, errThreshold):
		return exitThreshold
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "wsbench:", err)
		fmt.Fprintln(stderr, "wsbench: see wsbench --help")
		return exitUsage
	}
	if cut := interrupt.Of(err); cut != nil {
		fmt.Fprintln(stderr, "wsbench:", err)
		return cut.Status()
	}
	fmt.Fprintln(stderr, "wsbench:", err)
	return exitNoRun
}

// escaped returns a stream that escapes control characters, except for our own colours.
func escaped(w io.Writer) io.Writer {
	if colours(w) {
		return terminal.NewWriter(w, report.Sequences...)
	}
	return terminal.NewWriter(w)
}

// completion writes a shell's script. It goes to the shell, not to a terminal: what
// terminal.Writer escapes must not be.
func completion(stdout io.Writer, shell string) error {
	commands := []string{"agent", "compare", "completion", "diff", "find", "help", "report"}
	for _, s := range load.Scenarios {
		commands = append(commands, string(s))
	}
	return cmdline.Completion(terminal.Unwrap(stdout), shell, "wsbench", commands, newSettings(load.Echo).flags("wsbench"))
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return &usageError{Err: errors.New("a command is missing")}
	}
	if slices.Contains(args, and) {
		return runTogether(ctx, args, stdout, stderr)
	}
	name, rest := args[0], args[1:]
	for _, s := range load.Scenarios {
		if string(s) == name {
			return runScenario(ctx, s, rest, stdout, stderr)
		}
	}
	switch name {
	case "agent":
		return runAgent(ctx, rest)
	case "diff":
		return runDiff(rest, stdout)
	case "report":
		return runReport(rest, stdout)
	case "find":
		return runFind(ctx, rest, stdout, stderr)
	case "compare":
		return runCompare(ctx, rest, stdout, stderr)
	case "completion":
		if len(rest) != 1 {
			return &usageError{Err: errors.New("completion needs a shell: bash, zsh or fish")}
		}
		return completion(stdout, rest[0])
	case "--version", "-version":
		_, err := fmt.Fprintln(stdout, "wsbench", buildinfo.Version())
		return err
	case "help", "-h", "-help", "--help":
		return flag.ErrHelp
	}
	return &usageError{Err: fmt.Errorf("there is no command %q", name)}
}
