package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/spelling"
)

const fileFlag = "config"

// Load makes the configuration from the arguments after "serve", the environment as
// os.Environ returns it, and the file that one of the two names, if any, which it reads with
// readFile. Flags override variables, variables override the file. White space around the
// value of a flag or a variable is ignored, and so are empty variables.
//
// Warnings are about variables that look like settings but are not. They are not errors,
// because other programs may set variables with our prefix. The error joins everything that is
// wrong, each with where it was found and what is allowed; values that are overridden must be
// valid as well. The error is flag.ErrHelp if the arguments ask for help.
func Load(args, environ []string, readFile func(name string) ([]byte, error)) (c Config, warnings []string, err error) {
	c = Default()
	flags, fromFlags, err := parseFlags(args)
	if err != nil {
		return c, nil, err
	}
	vars, file, warnings := parseEnviron(&c, environ)
	if fromFlags != "" {
		file = fromFlags
	}
	assigned := append(vars, flags...)
	begin := c
	errs := apply(&c, file, readFile, assigned)
	if p := presets[c.Preset]; errs == nil && p != nil { // only now is it known which one
		c = begin
		p.apply(&c)
		errs = apply(&c, file, readFile, assigned)
	}
	if errs == nil {
		return c, warnings, c.check()
	}
	return c, warnings, errors.Join(errs...)
}

// apply sets the values from the file, if there is one, the variables and the flags.
func apply(c *Config, file string, readFile func(name string) ([]byte, error), assigned []assignment) (errs []error) {
	if file != "" {
		errs = loadFile(c, file, readFile)
	}
	for _, a := range assigned {
		if err := a.set(c, a.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", a.source, a.setting.key, err))
		}
	}
	return errs
}

// assignment is a setting's value as a flag or a variable gives it.
type assignment struct {
	setting setting
	text    string
	source  string                             // for errors
	set     func(c *Config, text string) error // the setting's
}

// parseFlags finds the flags' values and the name of the file.
func parseFlags(args []string) (found []assignment, file string, err error) {
	fs := flag.NewFlagSet("hawser serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller shows the error, and the usage if it likes
	fs.StringVar(&file, fileFlag, "", "")
	for _, s := range settings {
		record := func(text string) error {
			found = append(found, assignment{s, text, "flag --" + s.flagName(), s.flag})
			return nil
		}
		if s.arg == "" {
			fs.BoolFunc(s.flagName(), "", record)
		} else {
			fs.Func(s.flagName(), "", record)
		}
	}
	if err := fs.Parse(args); err != nil {
		if name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); unknown {
			return nil, "", fmt.Errorf("flag --%s: there is no such flag%s", name, spelling.DidYouMean("--"+name, flagNames()))
		}
		return nil, "", err
	}
	if fs.NArg() > 0 {
		return nil, "", fmt.Errorf("argument %s: not expected; a switch is turned off as --guests=false", quote(fs.Arg(0)))
	}
	return found, file, nil
}

// flagNames are the names of all flags, with their dashes.
func flagNames() (names []string) {
	for _, s := range settings {
		names = append(names, "--"+s.flagName())
	}
	return append(names, "--"+fileFlag)
}
