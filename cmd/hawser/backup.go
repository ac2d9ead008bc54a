package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/bolt"
)

const backupUsage = `usage: hawser backup FILE [--data DIR] [--config FILE] [--force]

Copies the data folder's messages, users and token key into FILE, from the running
server if there is one, as they are at one moment, and then reads every record of
the copy. FILE holds the key that proves who users are: it is as secret as the
folder itself. --force overwrites a FILE that is there.

If some of the data are damaged, FILE has all the rest. What is lost is listed on
standard error, and the exit status is 1. A FILE that is there may have it: it stays
even with --force, and the new one is FILE.damaged.
`

// backup runs "hawser backup".
func backup(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	o, err := parseData("backup", backupUsage, 1, 1, args, environ)
	if err != nil {
		return err
	}
	file := o.args[0]
	if err := mayBackUpTo(file, o); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".partial-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // unless it has been renamed by then
	defer temp.Close()
	how, err := copyStore(ctx, o.data, temp, newProgress(stderr))
	if err != nil {
		return fmt.Errorf("%s was not made: %w", file, err)
	}
	lost := losses{w: stderr}
	contents, err := seal(ctx, o.data, temp, &lost)
	if err != nil {
		return fmt.Errorf("%s was not made: %w", file, err)
	}
	if lost.count > 0 && !missing(filepath.Dir(file), filepath.Base(file)) {
		file += ".damaged"
	}
	if err := o.name(temp.Name(), file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	read := "every record was read and is whole"
	if lost.count > 0 {
		read = "every record was read, and some are damaged"
	}
	fmt.Fprintf(stdout, "hawser: %s holds %s\nhawser: copied %s; %s; %s\n", file, counts(contents), how, bytesOf(info.Size()), read)
	if lost.count > 0 {
		return fmt.Errorf("%s was made, of a chat that is damaged: it lacks what is listed (%s), and is complete otherwise. A backup from before may have it: keep that", file, plural(lost.count, "line"))
	}
	return nil
}

// mayBackUpTo returns an error if the backup would overwrite something.
func mayBackUpTo(file string, o dataOptions) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range []string{bolt.FileName, auth.KeyFile} {
		if own, err := os.Stat(filepath.Join(o.data, name)); err == nil && os.SameFile(info, own) {
			return &usageError{fmt.Errorf("%s is a file of the data folder itself; choose another one", file)}
		}
	}
	switch {
	case info.IsDir():
		return &usageError{fmt.Errorf("%s is a folder; name a file", file)}
	case !info.Mode().IsRegular():
		return &usageError{fmt.Errorf("%s is not a file", file)}
	case !o.force:
		return &usageError{fmt.Errorf("%s exists; --force overwrites it", file)}
	}
	return nil
}

// copyStore writes the store of the data folder to a file, by asking the running server. If no
// server is running, it copies the store itself, and keeps a server from starting meanwhile.
func copyStore(ctx context.Context, dir string, to *os.File, p *progress) (how string, err error) {
	resp, err := askServer(ctx, dir, http.MethodGet, "/backup")
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			return "", fmt.Errorf("the server on %s says %s: %s", dir, resp.Status, text)
		}
		_, err := io.Copy(io.MultiWriter(to, p.of("copied", resp.ContentLength)), resp.Body)
		if errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil {
			err = fmt.Errorf("the server ended before it had sent everything: %w", err)
		}
		return "from the running server", err
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return "", err
	}
	snapshot, snapErr := bolt.OpenSnapshot(dir)
	var inUse *bolt.InUseError
	switch {
	case errors.As(snapErr, &inUse):
		return "", fmt.Errorf("%w, which does not answer: %w", snapErr, err)
	case errors.Is(snapErr, fs.ErrNotExist):
		return "", fmt.Errorf("there is no chat to copy in %s: %w", dir, snapErr)
	case snapErr != nil:
		return "", snapErr
	}
	defer snapshot.Close()
	_, err = snapshot.WriteTo(io.MultiWriter(cancellable{ctx, to}, p.of("copied", snapshot.Size())))
	return "while no server was running", err
}

// seal makes the copy a backup and reads it.
func seal(ctx context.Context, dir string, temp *os.File, lost *losses) (c bolt.Contents, err error) {
	key, id, err := auth.ReadKeyFile(dir)
	if err != nil {
		return c, err
	}
	if err := bolt.Seal(temp.Name(), key); err != nil {
		return c, err
	}
	if err := temp.Sync(); err != nil { // what was copied before
		return c, err
	}
	c, err = bolt.Check(ctx, temp.Name(), lost.list)
	lost.end()
	if err != nil {
		return c, fmt.Errorf("the copy is damaged: %w", err)
	}
	if c.KeyID != "" && c.KeyID != id {
		return c, fmt.Errorf("%s is not the key of the users in %s", filepath.Join(dir, auth.KeyFile), filepath.Join(dir, bolt.FileName))
	}
	return c, nil
}

// name renames a finished file to its final name.
func (o dataOptions) name(temp, file string) error {
	err := errors.ErrUnsupported
	if !o.force {
		err = os.Link(temp, file) // fails if the file exists by now
	}
	if err != nil && !errors.Is(err, fs.ErrExist) { // there are file systems without links
		if _, exists := os.Lstat(file); exists == nil && !o.force {
			err = fs.ErrExist
		} else {
			err = os.Rename(temp, file)
		}
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	d.Sync() // not every system supports it for folders
	return d.Close()
}
