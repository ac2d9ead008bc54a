package main

import (
	"flag"
	"fmt"
	"strings"
)

// usageColumn is where the descriptions of flags begin, usageWidth where they end.
const usageColumn, usageWidth = 24, 80

// printUsage lists the flags of a command.
func printUsage(f *flag.FlagSet) {
	w := f.Output()
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
		line := fmt.Sprintf("%-*s", usageColumn, head)
		if len(head) >= usageColumn {
			fmt.Fprintln(w, head)
			line = strings.Repeat(" ", usageColumn)
		}
		for _, word := range strings.Fields(text) {
			if len(line)+1+len(word) > usageWidth {
				fmt.Fprintln(w, line)
				line = strings.Repeat(" ", usageColumn)
			}
			if !strings.HasSuffix(line, " ") {
				line += " "
			}
			line += word
		}
		fmt.Fprintln(w, line)
	})
}
