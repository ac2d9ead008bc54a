// Command hawser is the chat server: rooms, private messages, presence and a
// durable history over WebSocket, with a page to use them. chat/PROTOCOL.md
// describes what it speaks.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
	"github.com/hawser-ws/hawser/cmd/internal/buildinfo"
	"github.com/hawser-ws/hawser/cmd/internal/output"
	"github.com/hawser-ws/hawser/cmd/internal/signals"
	"github.com/hawser-ws/hawser/cmd/internal/spelling"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/internal/upgrade"
	"github.com/hawser-ws/hawser/server/handover"
)

const usage = `usage: hawser serve [flags]    run the chat server
       hawser upgrade          replace a running server by its new version, without a disconnect
       hawser backup FILE      back up its data, also while it runs, and verify the copy
       hawser restore FILE     restore the data of a backup
       hawser check [DATA]     read all of its data, or of a backup, and list what is lost
       hawser new-key [FILE]   make a new key for the users' tokens
       hawser ban SUBJECT      ban a user, an address or a network, of a running server
       hawser unban SUBJECT    lift a ban
       hawser bans             list the bans
       hawser kick USER        end the sessions of a user
       hawser limits           list the limits, and how often they have refused something
       hawser new-admin-key NAME
                               make a new key for these commands
       hawser config           print an example of the configuration file
       hawser version          print the version

Every command has --help; "hawser serve --help" lists the settings.
`

var commands = []string{"serve", "upgrade", "backup", "restore", "check", "new-key", "ban", "unban", "bans", "kick", "limits", "new-admin-key",
	"config", "version", "help"}

// Exit statuses: 1 for errors while running, 2 for errors in the command line.
const (
	exitFailure = 1
	exitUsage   = 2
)

// flushTime is how long the end of the program waits for its output to be read.
const flushTime = 2 * time.Second

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, signals.Stop()))
}

// run is the program. It ends when stop is closed, if not before.
func run(args, environ []string, stdout, stderr io.Writer, stop <-chan struct{}) int {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "serve":
		return serve(args, environ, stdout, stderr, stop)
	case "upgrade":
		return runCommand(runUpgrade, args, environ, stdout, stderr, stop)
	case "backup":
		return runCommand(backup, args, environ, stdout, stderr, stop)
	case "restore":
		return runCommand(restore, args, environ, stdout, stderr, stop)
	case "check":
		return runCommand(check, args, environ, stdout, stderr, stop)
	case "new-key":
		return runCommand(newKey, args, environ, stdout, stderr, stop)
	case "new-admin-key":
		return runCommand(newAdminKey, args, environ, stdout, stderr, stop)
	case "ban":
		return runCommand(ban, args, environ, stdout, stderr, stop)
	case "unban":
		return runCommand(unban, args, environ, stdout, stderr, stop)
	case "bans":
		return runCommand(bans, args, environ, stdout, stderr, stop)
	case "kick":
		return runCommand(kick, args, environ, stdout, stderr, stop)
	case "limits":
		return runCommand(limits, args, environ, stdout, stderr, stop)
	case "config":
		fmt.Fprint(stdout, config.Example())
		return 0
	case "version":
		fmt.Fprintln(stdout, "hawser", buildinfo.Version(), runtime.Version())
		return 0
	case "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
		return 0
	case "":
		fmt.Fprint(stderr, usage)
	default:
		fmt.Fprintf(stderr, "hawser: there is no command %q%s\n\n%s", command, spelling.DidYouMean(command, commands), usage)
	}
	return exitUsage
}

// serve runs the chat server. A reader of its output that is gone or slow cannot block it.
func serve(args, environ []string, stdout, stderr io.Writer, stop <-chan struct{}) int {
	signals.Survive()
	stdout, stderr = terminal.NewWriter(stdout), terminal.NewWriter(stderr)
	environ = slices.DeleteFunc(slices.Clone(environ), handover.IsVariable) // it is no setting
	cfg, warnings, err := config.Load(args, environ, os.ReadFile)
	out, log := output.NewWriter(stdout, nil), newLog(cfg, stderr)
	defer log.Close(flushTime)
	defer out.Close(flushTime)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, config.Usage())
		return 0
	}
	if err != nil {
		fmt.Fprintf(log, "hawser: configuration:\n%v\n", err)
		return exitUsage
	}
	slog.SetDefault(log.Logger)
	for _, w := range warnings {
		log.Warn(w)
	}
	program, err := upgrade.New(1, stateFormats...)
	if err != nil {
		fmt.Fprintln(log, "hawser:", err)
		return exitFailure
	}
	a, err := start(cfg, log.Logger, program)
	if err != nil {
		fmt.Fprintln(log, "hawser:", err)
		return exitFailure
	}
	defer signals.OnUpgrade(a.onSignal)()
	notify("READY=1\nMAINPID="+strconv.Itoa(os.Getpid()), log.Logger)
	if a.inherited {
		fmt.Fprintf(out, "hawser: process %d serves now, with %d connections\n", os.Getpid(), a.server.Stats().Open)
	} else {
		fmt.Fprintf(out, "hawser: chat at %s (%s)\n", a.url, a.engine.where)
		fmt.Fprintln(out, "hawser: stop with Ctrl-C")
	}
	replaced, err := a.run(stop)
	if replaced {
		return 0
	}
	if err == nil {
		fmt.Fprintln(out, "hawser: stopping")
	}
	notify("STOPPING=1", log.Logger)
	if stopErr := a.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		fmt.Fprintln(log, "hawser:", err)
		return exitFailure
	}
	return 0
}
