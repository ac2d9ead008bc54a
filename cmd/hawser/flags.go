package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/spelling"
)

// usageError is an error in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// helpError is the help text, if the command line asks for it.
type helpError string

func (e helpError) Error() string { return string(e) }

// parseMixed parses flags that may be before and after the arguments, of which there must be
// from least to most.
func parseMixed(f *flag.FlagSet, usage string, least, most int, args []string) (found []string, err error) {
	for err = f.Parse(args); err == nil && f.NArg() > 0; err = f.Parse(f.Args()[1:]) {
		found = append(found, f.Arg(0))
	}
	if errors.Is(err, flag.ErrHelp) {
		return nil, helpError(usage)
	}
	if n := len(found); err == nil && (n < least || n > most) {
		want := fmt.Sprint(least)
		if least != most {
			want = fmt.Sprintf("%d or %d", least, most)
		}
		err = fmt.Errorf("%d arguments, want %s", n, want)
	}
	if err == nil {
		return found, nil
	}
	text := err.Error()
	if name, unknown := strings.CutPrefix(text, "flag provided but not defined: -"); unknown {
		var names []string
		f.VisitAll(func(g *flag.Flag) { names = append(names, "--"+g.Name) })
		text = fmt.Sprintf("flag --%s: there is no such flag%s", name, spelling.DidYouMean("--"+name, names))
	}
	return nil, &usageError{fmt.Errorf("%s\n\n%s", text, strings.TrimSpace(usage))}
}
