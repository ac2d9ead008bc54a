package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/bolt"
)

const newKeyUsage = `usage: hawser new-key [--data DIR] [--config FILE] [--force]
       hawser new-key FILE [--force]

With FILE, makes the key for token_key_file: one for all nodes that share a Redis,
each of which needs a copy.

Without FILE, makes a new token.key for the data folder, where the old one is lost or known to
others. No token that was given out before is good any more: everybody has to choose
a name anew, as another user. No server may run on the folder. --force replaces a
key that is there.
`

// newKey runs "hawser new-key".
func newKey(_ context.Context, args, environ []string, stdout, _ io.Writer) error {
	o, err := parseData("new-key", newKeyUsage, 0, 1, args, environ)
	if err != nil {
		return err
	}
	if len(o.args) == 1 {
		return newKeyFile(o.args[0], o.force, stdout)
	}
	path := filepath.Join(o.data, auth.KeyFile)
	switch {
	case missing(o.data, bolt.FileName):
		return fmt.Errorf("there is no chat in %s: the first start makes a key", o.data)
	case !missing(o.data, auth.KeyFile) && !o.force:
		return &usageError{fmt.Errorf("%s exists; --force replaces it, which makes all tokens invalid", path)}
	}
	store, err := bolt.Open(o.data, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer store.Close(context.Background())
	if key := store.UnpackedKey(); key != nil {
		if err := unpackKey(o.data, store, key); err != nil {
			return err
		}
	}
	// A crash between the two leaves a key that is reported as another store's.
	if err := auth.ReplaceKey(o.data); err != nil {
		return err
	}
	_, id, err := auth.ReadKeyFile(o.data)
	if err != nil {
		return err
	}
	if err := store.SetKeyID(id); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "hawser: %s is new; tokens issued before are no longer valid\n", path)
	return nil
}

// newKeyFile makes the key that several nodes have in common.
func newKeyFile(path string, force bool, stdout io.Writer) error {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &usageError{fmt.Errorf("%s is not a file", path)}
	case !force:
		return &usageError{fmt.Errorf("%s exists; --force replaces it, which makes all tokens of the nodes that use it invalid", path)}
	}
	if err := auth.ReplaceKeyFile(path); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "hawser: %s is new; give a copy of it to every node (token_key_file)\n", path)
	return nil
}
