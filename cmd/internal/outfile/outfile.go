package outfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
)

// File is a file to be written, and the flag that named it.
type File struct {
	Flag string // with its dashes, for errors
	Path string // "": the flag was not given
}

// Check finds out whether all of the files can be written. It creates none and
// changes none. Two flags may not name the same file.
func Check(files ...File) error {
	taken := map[string]string{}
	for _, f := range files {
		if f.Path == "" {
			continue
		}
		p, err := find(f.Path)
		if err == nil {
			err = p.check()
		}
		if err != nil {
			return f.explain(err)
		}
		if flag, twice := taken[p.path]; twice && p.replaced {
			return fmt.Errorf("%s and %s both name %s", flag, f.Flag, f.Path)
		}
		taken[p.path] = f.Flag
	}
	return nil
}

// Write makes the file from what fill writes. If fill fails, nothing is written at
// all. Without a path it does nothing. The file may be shown on a terminal later, or
// be one: control characters are escaped in a way that leaves JSON as it is.
func (f File) Write(fill func(io.Writer) error) error {
	if f.Path == "" {
		return nil
	}
	var b bytes.Buffer
	if err := fill(terminal.NewFileWriter(&b)); err != nil {
		return f.explain(err)
	}
	p, err := find(f.Path)
	if err == nil {
		err = p.write(b.Bytes())
	}
	if err != nil {
		return f.explain(err)
	}
	return nil
}

// Write is File.Write for a file that no flag named.
func Write(path string, fill func(io.Writer) error) error { return File{Path: path}.Write(fill) }

// explain names the flag and the file, once.
func (f File) explain(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // at.Path may be a temporary file
	}
	if f.Flag == "" {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return fmt.Errorf("%s %s: %w", f.Flag, f.Path, err)
}

// CheckDir finds out whether files can be written in a directory, which MakeDir is
// to make if it does not exist. It changes nothing.
func CheckDir(flag, dir string) error {
	if dir == "" {
		return nil
	}
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			continue // it must be made in the directory above it
		}
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a directory", at)
		}
		if err == nil {
			err = probe(at)
		}
		if err != nil {
			return File{flag, dir}.explain(err)
		}
		return nil
	}
}

// probe makes a file in a directory and removes it.
func probe(dir string) error {
	f, err := temporary(dir, ".probe", 0o600)
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// temporary makes a new file beside the one of a name, hidden.
func temporary(dir, name string, mode fs.FileMode) (*os.File, error) {
	const attempts = 100
	for i := 0; ; i++ {
		path := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", name[:min(len(name), 200)], rand.Uint32()))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) || i == attempts {
			return f, err
		}
	}
}
