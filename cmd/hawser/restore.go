package main

import (
	"context"
	"crypto/rand"
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

const restoreUsage = `usage: hawser restore FILE [--data DIR] [--config FILE] [--force]

Brings back the messages, users and token key that "hawser backup" wrote to FILE,
after reading every record. No server may run on the folder. --force replaces the
data that are there. An end in the middle leaves either the old data or the new.

If FILE is damaged, or was made of data that were, what is lost is listed on standard
error, and nothing is restored without --force. With it, all the rest is.
`

// restore runs "hawser restore".
func restore(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	o, err := parseData("restore", restoreUsage, 1, 1, args, environ)
	if err != nil {
		return err
	}
	file := o.args[0]
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	unlock, err := bolt.Lock(o.data)
	exists := !errors.Is(err, fs.ErrNotExist)
	var inUse *bolt.InUseError
	switch {
	case errors.As(err, &inUse):
		return fmt.Errorf("%w; stop the server first", err)
	case exists && err != nil:
		return err
	case exists:
		defer unlock()
	}
	if exists && !o.force {
		return &usageError{fmt.Errorf("%s already contains data; --force replaces them", o.data)}
	}
	temp := bolt.TempName(o.data, rand.Text())
	defer os.Remove(temp) // unless it has its name by then
	lost := losses{w: stderr}
	contents, err := unpack(ctx, from, temp, newProgress(stderr), &lost)
	lost.end()
	if err == nil && lost.count > 0 && !o.force {
		err = fmt.Errorf("it lacks what is listed (%s). A backup from before may have it; --force restores everything else of this one", plural(lost.count, "line"))
	}
	if err != nil {
		return fmt.Errorf("%s was not restored, and %s is unchanged: %w", file, o.data, err)
	}
	if err := mayReplaceKey(o, contents.TokenKey); err != nil {
		return err
	}
	if err := errors.Join(bolt.Revive(temp), ctx.Err()); err != nil {
		return fmt.Errorf("%s was not restored, and %s is unchanged: %w", file, o.data, err)
	}
	// From here on, the data folder has the new data.
	if err := bolt.Replace(temp, o.data, exists); err != nil {
		return err
	}
	store, _, err := openData(o.data, bolt.Options{Log: slog.New(slog.DiscardHandler)}) // puts the key where it belongs
	if err != nil {
		return err
	}
	epoch, err := store.Epoch(ctx)
	if err := errors.Join(err, store.Close(ctx)); err != nil {
		return err
	}
	but := ""
	if lost.count > 0 {
		but = ", but for what is listed as lost"
	}
	fmt.Fprintf(stdout, "hawser: %s holds %s again%s\nhawser: its epoch is new, %s, so that clients drop what they know of messages that came after the backup\n", o.data, counts(contents), but, epoch)
	return nil
}

// unpack copies a backup to a new file and reads the copy.
func unpack(ctx context.Context, from *os.File, temp string, p *progress, lost *losses) (c bolt.Contents, err error) {
	info, err := from.Stat()
	if err != nil {
		return c, err
	}
	if !info.Mode().IsRegular() {
		return c, fmt.Errorf("%s is not a file", from.Name())
	}
	to, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return c, err
	}
	_, err = io.Copy(io.MultiWriter(cancellable{ctx, to}, p.of("copied", info.Size())), from)
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return c, err
	}
	lose := lost.list
	if err := bolt.Upgrade(ctx, temp, lose); err != nil { // what an older program wrote
		return c, err
	}
	if lost.count > 0 { // what the new file lacks is among that
		lose = func(string) {}
	}
	if c, err = bolt.Check(ctx, temp, lose); err != nil {
		return c, fmt.Errorf("the backup is damaged: %w", err)
	}
	if c.TokenKey == nil {
		return c, fmt.Errorf("%s is not a backup made by \"hawser backup\"", from.Name())
	}
	return c, nil
}

// mayReplaceKey returns an error if there is a key that is not the backup's and would be lost.
func mayReplaceKey(o dataOptions, key []byte) error {
	path := filepath.Join(o.data, auth.KeyFile)
	if o.force || missing(o.data, auth.KeyFile) {
		return nil
	}
	if old, _, err := auth.ReadKeyFile(o.data); err == nil && string(old) == string(key) {
		return nil
	}
	return &usageError{fmt.Errorf("%s exists and is not the backup's key; --force replaces it", path)}
}
