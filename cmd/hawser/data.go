package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/bolt"
)

// openData opens the store and the key of its users' tokens, which belong together:
// with another key, or none, nobody could prove any more who they are. It makes
// both where there is neither.
//
// A key without a store is a first start with a key that was put there before, or a
// store that was lost. Nothing gets worse by starting, so that this is a warning.
func openData(dir string, log *slog.Logger) (*bolt.Store, *auth.Tokens, error) {
	if missing(dir, bolt.FileName) && !missing(dir, auth.KeyFile) {
		log.Warn("there is a token.key but no chat.db, and an empty one was made: if there should be one, stop the server and bring it back with \"hawser restore\"", "data", dir)
	}
	store, err := bolt.Open(dir, bolt.Options{Log: log}) // first: a key is never made for a store that cannot be opened
	if err != nil {
		return nil, nil, err
	}
	// What a restore that was killed has left behind.
	if left, _ := filepath.Glob(bolt.TempName(dir, "*")); left != nil {
		for _, name := range left {
			os.Remove(name)
		}
	}
	tokens, err := openKey(dir, store)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close(context.Background()))
	}
	return store, tokens, nil
}

func missing(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return errors.Is(err, fs.ErrNotExist)
}

func openKey(dir string, store *bolt.Store) (*auth.Tokens, error) {
	if key := store.UnpackedKey(); key != nil {
		if err := unpackKey(dir, store, key); err != nil {
			return nil, err
		}
	}
	hasUsers, err := store.HasUsers()
	if err != nil {
		return nil, err
	}
	load := auth.Load
	if !hasUsers {
		load = auth.Open // nobody has a token
	}
	tokens, err := load(dir, nil)
	path := filepath.Join(dir, auth.KeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is missing: it signs the tokens by which the users in %s prove who they are. Bring it back from a backup, or the whole folder with \"hawser restore\". If it is lost for good, \"hawser new-key\" makes another one, and everybody has to choose a name anew", path, filepath.Join(dir, bolt.FileName))
	case err != nil:
		return nil, err
	case store.KeyID() == tokens.KeyID():
		return tokens, nil
	case store.KeyID() != "" && hasUsers:
		return nil, fmt.Errorf("%s is not the key of the users in %s: it is another store's. Bring the right one back from a backup. If it is lost for good, \"hawser new-key --force\" makes another one, and everybody has to choose a name anew", path, filepath.Join(dir, bolt.FileName))
	}
	return tokens, store.SetKeyID(tokens.KeyID())
}

// unpackKey ends a restore: the key that came with the store is put where it belongs.
func unpackKey(dir string, store *bolt.Store, key []byte) error {
	// One that is there already may lie where nothing can be written.
	if old, _, err := auth.ReadKeyFile(dir); err != nil || string(old) != string(key) {
		if err := auth.WriteKeyFile(dir, key); err != nil {
			return fmt.Errorf("a restore is not complete: %w", err)
		}
	}
	return store.KeyInstalled()
}
