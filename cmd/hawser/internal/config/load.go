package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

const (
	envPrefix    = "HAWSER_"
	fileFlag     = "config"
	fileVariable = "HAWSER_CONFIG"
)

// Load makes the configuration from the arguments after "serve", the environment
// as os.Environ gives it, and the file that one of the two names, if any, which
// it reads with readFile. A flag goes before a variable, a variable before the
// file, the file before the default.
//
// The error joins everything that is wrong, each with where it was found and what
// is allowed; what is overridden must be right, too. It is flag.ErrHelp if the
// arguments ask for help.
func Load(args, environ []string, readFile func(name string) ([]byte, error)) (Config, error) {
	c := Default()
	flags, fromFlags, err := parseFlags(args)
	if err != nil {
		return c, err
	}
	vars, fromVars, errs := parseEnviron(environ)
	file := fromVars
	if fromFlags != "" {
		file = fromFlags
	}
	if file != "" {
		errs = append(errs, loadFile(&c, file, readFile)...)
	}
	for _, a := range append(vars, flags...) {
		if err := a.setting.parse(&c, a.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", a.source, a.setting.key, err))
		}
	}
	if errs == nil {
		return c, c.check()
	}
	return c, errors.Join(errs...)
}

// assignment is a setting's value as a flag or a variable gives it.
type assignment struct {
	setting setting
	text    string
	source  string // for errors
}

// parseFlags finds the flags' values and the name of the file.
func parseFlags(args []string) (found []assignment, file string, err error) {
	fs := flag.NewFlagSet("hawser serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller shows the error, and the usage if it likes
	fs.StringVar(&file, fileFlag, "", "")
	for _, s := range settings {
		record := func(text string) error {
			found = append(found, assignment{s, text, "flag --" + s.flagName()})
			return nil
		}
		if s.arg == "" {
			fs.BoolFunc(s.flagName(), "", record)
		} else {
			fs.Func(s.flagName(), "", record)
		}
	}
	if err := fs.Parse(args); err != nil {
		return nil, "", err
	}
	if fs.NArg() > 0 {
		return nil, "", fmt.Errorf("argument %s: not expected; a switch is turned off as --guests=false", quote(fs.Arg(0)))
	}
	return found, file, nil
}

// parseEnviron finds the variables' values and the name of the file.
func parseEnviron(environ []string) (found []assignment, file string, errs []error) {
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		if name == fileVariable {
			file = text
			continue
		}
		s, ok := find(setting.variable, name)
		if !ok {
			errs = append(errs, fmt.Errorf("variable %s: there is no such setting", name))
			continue
		}
		found = append(found, assignment{s, text, "variable " + name})
	}
	return found, file, errs
}
