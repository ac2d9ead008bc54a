// Command wsconform tests WebSocket servers and clients for conformance with
// RFC 6455 and RFC 7692: the 517 cases of the Autobahn testsuite under their own
// ids, and more than 500 of its own. "wsconform --help" lists its commands.
//
// Read main.go, then options.go; server.go and client.go are the two ways to
// test, run.go what they have in common, testee.go the program under test.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/cmd/internal/buildinfo"
	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/interrupt"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
)

// Exit statuses.
const (
	exitPassed = 0
	exitFailed = 1 // a case failed, or was not played
	exitUsage  = 2
	exitCannot = 3 // the run could not be done or completed
	// and 128 with a signal's number: interrupted by it
)

const usage = `Usage:
  wsconform server --url ws://HOST:PORT/ [flags]   test a server that echoes
  wsconform client --listen ADDR [flags]           test clients that echo
  wsconform list [--cases PATTERNS] [--role server|client]
  wsconform explain ID ...                         what a case sends and expects
  wsconform completion bash|zsh|fish               a script that completes commands and flags
  wsconform --version

"wsconform server --help" and "wsconform client --help" list the flags.
The exit status is 0 if nothing failed, 1 if something did, 2 for a wrong command
line, and 3 if the run could not be done or completed, or its results could not be
written. When SIGINT, SIGTERM or SIGHUP interrupts a run, it reports what it has,
marked as partial, and exits with 130, 143 or 129; a second signal ends it at once.
`

func main() {
	// The program that --exec started ends with this process: see testee's guard.
	ctx, end, stop := interrupt.Context(context.Background(), nil)
	stdout := interrupt.NewStdout(os.Stdout, end)
	status, err := stdout.Status(run(ctx, os.Args[1:], stdout, os.Stderr), exitCannot)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wsconform:", err)
	}
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	stdout, stderr = terminal.NewWriter(stdout), terminal.NewWriter(stderr)
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	commands := map[string]func(context.Context, []string, io.Writer, io.Writer) (int, error){
		"server": serverCommand, "client": clientCommand, "list": listCommand, "explain": explainCommand, "completion": completionCommand,
	}
	switch args[0] {
	case "version", "-version", "--version":
		fmt.Fprintln(stdout, "wsconform", buildinfo.Version(), runtime.Version(), "suite version", autobahn.Suite)
		return exitPassed
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return exitPassed
	}
	command, ok := commands[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "wsconform: there is no command %q\nwsconform: see wsconform --help\n", args[0])
		return exitUsage
	}
	status, err := command(ctx, args[1:], stdout, stderr)
	var wrong *usageError
	var help *cmdline.Help
	switch {
	case errors.As(err, &help):
		cmdline.PrintUsage(stdout, help.Flags)
		return exitPassed
	case errors.As(err, &wrong):
		fmt.Fprintln(stderr, "wsconform:", err)
		fmt.Fprintln(stderr, "wsconform: see wsconform --help")
		return exitUsage
	case err != nil:
		fmt.Fprintln(stderr, "wsconform:", err)
		if cut := interrupt.Of(err); cut != nil {
			return cut.Status()
		}
		return exitCannot
	}
	return status
}

// completionCommand writes a shell's script, with the flags of server and client.
func completionCommand(_ context.Context, args []string, stdout, _ io.Writer) (int, error) {
	if len(args) != 1 {
		return 0, usagef("completion needs a shell: bash, zsh or fish")
	}
	all := new(options).serverFlags()
	new(options).clientFlags().VisitAll(func(f *flag.Flag) {
		if all.Lookup(f.Name) == nil {
			all.Var(f.Value, f.Name, f.Usage)
		}
	})
	commands := []string{"client", "completion", "explain", "help", "list", "server"}
	// What the shell reads must not be escaped.
	return exitPassed, cmdline.Completion(terminal.Unwrap(stdout), args[0], "wsconform", commands, all)
}

// usageError is an error in the command line.
type usageError = cmdline.Error

func usagef(format string, args ...any) error { return &usageError{Err: fmt.Errorf(format, args...)} }
