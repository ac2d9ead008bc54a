// Package cmdline prints the flags of the programs, completes them in shells, and defines
// the error for wrong command lines. It knows none of the flags.
package cmdline

import (
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

// PrintUsage lists the flags of a command.
func PrintUsage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprintf(w, "Usage of %s:\n", f.Name())
	f.VisitAll(func(g *flag.Flag) {
		kind, text := flag.UnquoteUsage(g)
		head := "  --" + g.Name
		if kind != "" {
			head += " " + strings.Trim(kind, "'")
		}
		if g.DefValue != "" && g.DefValue != "0" && g.DefValue != "0s" && g.DefValue != "false" {
			text += " (default " + g.DefValue + ")"
		}
		line := fmt.Sprintf("%-*s", column, head)
		if len(head) >= column {
			fmt.Fprintln(w, head)
			line = strings.Repeat(" ", column)
		}
		for _, word := range strings.Fields(text) {
			if len(line)+1+len(word) > width {
				fmt.Fprintln(w, line)
				line = strings.Repeat(" ", column)
			}
			if !strings.HasSuffix(line, " ") {
				line += " "
			}
			line += word
		}
		fmt.Fprintln(w, line)
	})
}
