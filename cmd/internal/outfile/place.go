package outfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// place is what a path stands for.
type place struct {
	path     string
	open     *os.File    // one of our own streams, already open; nil: none
	replaced bool        // a regular file, or none yet: written beside and renamed
	exists   bool        // a regular file is there
	mode     fs.FileMode // of the file to be made
}

// maxLinks bounds how many symbolic links are followed, as the kernel does.
const maxLinks = 40

// find follows symbolic links, so that what they point to is written and they stay.
// Streams are not followed: /dev/stdout leads to whatever standard output was
// redirected to, and a file renamed to there would not be the one that is open.
func find(path string) (p place, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return p, err
	}
	for range maxLinks {
		path = filepath.Clean(path)
		switch path {
		case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
			return place{path: path, open: os.Stdout}, nil
		case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
			return place{path: path, open: os.Stderr}, nil
		}
		if strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/") {
			return place{path: path}, nil
		}
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return place{path: path, replaced: true, mode: 0o666}, nil
		case err != nil:
			return p, err
		case info.IsDir():
			return p, errors.New("is a directory")
		case info.Mode().IsRegular():
			return place{path: path, replaced: true, exists: true, mode: info.Mode().Perm()}, nil
		case info.Mode()&fs.ModeSymlink == 0:
			return place{path: path}, nil // a pipe or a device
		}
		to, err := os.Readlink(path)
		if err != nil {
			return p, err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return p, errors.New("too many symbolic links")
}

// check finds out whether the place can be written to. A pipe is not opened: its
// reader would take that for all there is.
func (p place) check() error {
	switch {
	case p.open != nil:
		return nil
	case !p.replaced:
		return accessible(p.path)
	case !p.exists:
		return probe(filepath.Dir(p.path))
	}
	// Opening it tells of its own permissions. Its directory's do not matter: where
	// there is no room for a file beside it, it is written in place.
	f, err := os.OpenFile(p.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func (p place) write(b []byte) error {
	switch {
	case p.open != nil:
		_, err := p.open.Write(b)
		return err
	case !p.replaced:
		return fill(p.path, os.O_WRONLY, b)
	}
	err := p.replace(b)
	if err != nil && p.exists && !errors.Is(err, errWriting) {
		// Its directory is not ours to write to, or it is a mount of its own, as
		// containers have them. All of b is at hand, so little can go wrong.
		return fill(p.path, os.O_WRONLY|os.O_TRUNC, b)
	}
	return err
}

// errWriting is a failure to write b, as on a full disk.
var errWriting = errors.New("cannot be written")

// replace writes b beside the file, and puts it in the file's place.
func (p place) replace(b []byte) error {
	f, err := temporary(filepath.Dir(p.path), filepath.Base(p.path), p.mode)
	if err != nil {
		return err
	}
	if p.exists {
		f.Chmod(p.mode) // what umask took from it
	}
	_, err = f.Write(b)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("%w: %w", errWriting, cause(err))
	}
	if err := os.Rename(f.Name(), p.path); err != nil {
		os.Remove(f.Name())
		return err
	}
	return nil
}

// cause is a path error without its path, which is that of a temporary file.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// fill writes to what is there.
func fill(path string, flags int, b []byte) error {
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
