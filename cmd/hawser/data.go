package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/bolt"
)

// openData opens the store and the key of its users' tokens. They belong together: without
// their key, users could no longer prove who they are. If there is neither, it makes both.
//
// A key without a store means that the key was put there before the first start, or that the
// store was lost. Starting does not make that worse, so it is only a warning.
func openData(dir string, o bolt.Options) (*bolt.Store, *auth.Tokens, error) {
	if missing(dir, bolt.FileName) && !missing(dir, auth.KeyFile) {
		o.Log.Warn("there is a token.key but no chat.db, so an empty one was made; if there should be one, stop the server and restore it with \"hawser restore\"", "data", dir)
	}
	store, err := bolt.Open(dir, o) // first: a key is never made for a store that cannot be opened
	if err != nil {
		return nil, nil, err
	}
	if o.Inherit { // it is another process's still, which has done what follows
		tokens, err := auth.Load(dir, nil)
		return store, tokens, err
	}
	// The remains of a restore that was killed.
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

// inherit takes over what another process's engine has handed over.
func (e *engine) inherit(dir string, state []byte, files []*os.File) error {
	err := e.Takeover.Inherit(state, files)
	if err == nil && e.store != nil && e.tokens.KeyID() != e.store.KeyID() {
		err = fmt.Errorf("%s is not the key of the users in %s", filepath.Join(dir, auth.KeyFile), filepath.Join(dir, bolt.FileName))
	}
	return err
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
		load = auth.Open // there are no users, so no one has a token
	}
	tokens, err := load(dir, nil)
	path := filepath.Join(dir, auth.KeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is missing: it signs the tokens by which the users in %s prove who they are. Restore it from a backup, or the whole folder with \"hawser restore\". If it is lost, \"hawser new-key\" makes a new one, but all users will have to choose a name again", path, filepath.Join(dir, bolt.FileName))
	case err != nil:
		return nil, err
	case store.KeyID() == tokens.KeyID():
		return tokens, nil
	case store.KeyID() != "" && hasUsers:
		return nil, fmt.Errorf("%s is not the key of the users in %s: it is another store's. Restore the right one from a backup. If it is lost, \"hawser new-key --force\" makes a new one, but all users will have to choose a name again", path, filepath.Join(dir, bolt.FileName))
	}
	return tokens, store.SetKeyID(tokens.KeyID())
}

// unpackKey completes a restore: it writes the key that came with the store to its file.
func unpackKey(dir string, store *bolt.Store, key []byte) error {
	// One that is there already may lie where nothing can be written.
	if old, _, err := auth.ReadKeyFile(dir); err != nil || string(old) != string(key) {
		if err := auth.WriteKeyFile(dir, key); err != nil {
			return fmt.Errorf("a restore is not complete: %w", err)
		}
	}
	return store.KeyInstalled()
}
