package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/adminapi"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
)

const newAdminKeyUsage = `usage: hawser new-admin-key NAME [--file FILE] [--config FILE]

Makes a key for an administrator, with which "hawser ban" and other commands act on a
running server. The key is printed, this once; FILE, which is admin_keys_file of the
server, gets a line with NAME and the key's hash. Without --file, it is the
admin_keys_file of the configuration. NAME is what the audit log says of who used the
key, so give everybody a key of their own.

The server needs no restart. To take a key back, remove its line.
`

// newAdminKey runs "hawser new-admin-key".
func newAdminKey(_ context.Context, args, environ []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("new-admin-key", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	file, configFile := f.String("file", "", ""), f.String("config", "", "")
	names, err := parseMixed(f, newAdminKeyUsage, 1, 1, args)
	if err != nil {
		return err
	}
	if err := adminapi.CheckName(names[0]); err != nil {
		return &usageError{err}
	}
	if *file == "" {
		if *file, err = configuredKeys(*configFile, environ); err != nil {
			return err
		}
	}
	secret, err := adminapi.AddKey(*file, names[0])
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, secret); err != nil {
		return fmt.Errorf("the key could not be printed; remove the line of %s from %s: %w", names[0], *file, err)
	}
	fmt.Fprintf(stderr, "hawser: this is the key of %s, which is not shown again; its hash is in %s (admin_keys_file)\n", names[0], *file)
	return nil
}

// configuredKeys is the file of the keys of a server with this configuration.
func configuredKeys(file string, environ []string) (string, error) {
	var flags []string
	if file != "" {
		flags = []string{"--config=" + file}
	}
	cfg, _, err := config.Load(flags, environ, os.ReadFile)
	switch {
	case err != nil:
		return "", &usageError{fmt.Errorf("configuration:\n%w", err)}
	case cfg.AdminKeysFile == "":
		return "", &usageError{fmt.Errorf("the configuration has no admin_keys_file; name the file with --file")}
	}
	return cfg.AdminKeysFile, nil
}
