// Package cmdline is the common part of the programs' command lines: it reads and prints
// flags, completes them in shells, and defines the error for wrong command lines. It knows
// none of the flags.
package cmdline

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// column is where the descriptions of flags begin, width where they end.
const column, width = 24, 80

// Error is an error in the command line.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Help is the error of a command line that asks for help. It wraps flag.ErrHelp.
type Help struct{ Flags *flag.FlagSet }

func (h *Help) Error() string { return "help for " + h.Flags.Name() }
func (h *Help) Unwrap() error { return flag.ErrHelp }

// Parse reads a command line with flags and arguments in any order, and returns the
// arguments. After "--", everything is an argument. Its error is a *Help or an *Error; it
// prints nothing.
func Parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	for {
		switch err := f.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return nil, &Help{f}
		case err != nil:
			return nil, &Error{err}
		case f.NArg() == 0:
			return rest, nil
		}
		if n := len(args) - f.NArg(); n > 0 && args[n-1] == "--" {
			return append(rest, f.Args()...), nil
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// ParseFlags is like Parse, for a command line without arguments.
func ParseFlags(f *flag.FlagSet, args []string) error {
	rest, err := Parse(f, args)
	if err == nil && len(rest) > 0 {
		err = &Error{fmt.Errorf("unexpected argument %q", rest[0])}
	}
	return err
}

// PrintUsage lists the flags of a command, below its name.
func PrintUsage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprintf(w, "Usage of %s:\n%s", f.Name(), Flags(f))
}

// Flags describes flags, in the order of their names.
func Flags(f *flag.FlagSet) string {
	var b strings.Builder
	f.VisitAll(func(g *flag.Flag) {
		kind, text := flag.UnquoteUsage(g)
		head := "  --" + g.Name
		if kind != "" {
			head += " " + strings.ToUpper(kind)
		}
		if g.DefValue != "" && g.DefValue != "0" && g.DefValue != "0s" && g.DefValue != "false" {
			text += " (default " + g.DefValue + ")"
		}
		line := fmt.Sprintf("%-*s", column, head)
		if len(head) >= column {
			fmt.Fprintln(&b, head)
			line = strings.Repeat(" ", column)
		}
		for _, word := range strings.Fields(text) {
			if len(line)+1+len(word) > width {
				fmt.Fprintln(&b, line)
				line = strings.Repeat(" ", column)
			}
			if !strings.HasSuffix(line, " ") {
				line += " "
			}
			line += word
		}
		fmt.Fprintln(&b, line)
	})
	return b.String()
}
