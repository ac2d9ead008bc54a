package config

import (
	"fmt"
	"strings"
)

// Usage describes every flag, for the help text of "hawser serve".
func Usage() string {
	var b strings.Builder
	b.WriteString("usage: hawser serve [flags]\n\n")
	b.WriteString(wrap("", "Every flag is also a variable HAWSER_… and, except for --config, a key of the file: --limits.burst is HAWSER_LIMITS_BURST, and burst in the table [limits]. Dashes become underscores in variables and keys. Flags override variables, variables override the file. Empty variables are ignored; those that are not settings are reported in the log."))
	b.WriteString("\n  --config FILE\n")
	b.WriteString(wrap("      ", "TOML file to read settings from; \"hawser config\" prints one."))
	for _, s := range settings {
		fmt.Fprintf(&b, "  --%s", s.flagName())
		if s.arg != "" {
			b.WriteString(" " + s.arg)
		} else {
			b.WriteString("[=true|false]")
		}
		b.WriteString("\n")
		b.WriteString(wrap("      ", fmt.Sprintf("%s Takes %s; %s.", s.help, s.want, s.defaults())))
	}
	return b.String()
}

// Example returns a configuration file that sets nothing: it has every key with its default
// value, commented out.
func Example() string {
	var b strings.Builder
	b.WriteString(wrap("# ", "Configuration of hawser. Every key below has its default value. A flag or a variable HAWSER_… of the same name overrides the value in this file."))
	table := ""
	for _, s := range settings {
		name := s.key
		if t, rest, ok := strings.Cut(s.key, "."); ok {
			if t != table {
				fmt.Fprintf(&b, "\n[%s]\n", t)
				table = t
			}
			name = rest
		}
		help := s.help + " Takes " + s.want
		if d := s.defaults(); strings.Contains(d, ",") {
			help += "; " + d
		}
		fmt.Fprintf(&b, "\n%s# %s = %s\n", wrap("# ", help+"."), name, s.value)
	}
	return b.String()
}

// wrap breaks text into lines of at most 80 columns, each after the prefix.
func wrap(prefix, text string) string {
	var b strings.Builder
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line) > len(prefix) && len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = prefix
		}
		if len(line) > len(prefix) {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
	return b.String()
}
