package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hawser-ws/hawser/chat/bolt"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
	"github.com/hawser-ws/hawser/cmd/internal/signals"
)

// dataOptions are the options of the commands on a data folder.
type dataOptions struct {
	data  string
	force bool
	args  []string
}

// parseData reads the command line of a command on a data folder, which it finds the way
// "hawser serve" does. Flags may be before and after the arguments.
func parseData(name, usage string, least, most int, args, environ []string) (o dataOptions, err error) {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	data := f.String("data", "", "")
	file := f.String("config", "", "")
	f.BoolVar(&o.force, "force", false, "")
	if o.args, err = parseMixed(f, usage, least, most, args); err != nil {
		return o, err
	}
	var settings []string
	if *file != "" {
		settings = append(settings, "--config="+*file)
	}
	if *data != "" {
		settings = append(settings, "--data="+*data)
	}
	cfg, _, err := config.Load(settings, environ, os.ReadFile)
	if err != nil {
		return o, &usageError{fmt.Errorf("configuration:\n%w", err)}
	}
	if cfg.Redis.On() && *data == "" && !o.elsewhere(name) {
		return o, &usageError{errInRedis(name)}
	}
	o.data = cfg.Data
	return o, nil
}

// elsewhere reports whether the arguments name what the command is about, so that it does not
// matter what the server uses.
func (o dataOptions) elsewhere(name string) bool {
	return (name == "check" || name == "new-key") && len(o.args) > 0
}

// runCommand runs a command that ends by itself, until stop is closed.
func runCommand(command func(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error,
	args, environ []string, stdout, stderr io.Writer, stop <-chan struct{}) int {
	signals.Survive() // half way, a file would be left behind
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := command(ctx, args, environ, stdout, stderr)
	var help helpError
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &help):
		fmt.Fprint(stdout, help)
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "hawser:", err)
		return exitUsage
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "hawser: interrupted:", err)
	default:
		fmt.Fprintln(stderr, "hawser:", err)
	}
	return exitFailure
}

// cancellable is a Writer that fails once ctx is done.
type cancellable struct {
	ctx context.Context
	w   io.Writer
}

func (c cancellable) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// progressInterval is the time between two lines about progress.
const progressInterval = 5 * time.Second

// progress reports from time to time how much is done.
type progress struct {
	w           io.Writer
	what        string
	done, total int64
	last        time.Time
}

func newProgress(w io.Writer) *progress { return &progress{w: w, last: time.Now()} }

func (p *progress) of(what string, total int64) *progress {
	p.what, p.total = what, total
	return p
}

func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	if now := time.Now(); now.Sub(p.last) >= progressInterval {
		p.last = now
		fmt.Fprintf(p.w, "hawser: %s %s of %s\n", p.what, bytesOf(p.done), bytesOf(p.total))
	}
	return len(b), nil
}

func bytesOf(n int64) string {
	f, unit := float64(n), 0
	for f >= 1024 && unit < 4 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.4g %s", f, []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit])
}

func counts(c bolt.Contents) string {
	return fmt.Sprintf("%s in %s, and %s", plural(c.Messages, "message"), plural(uint64(c.Conversations), "conversation"), plural(uint64(c.Users), "user"))
}

func plural(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
