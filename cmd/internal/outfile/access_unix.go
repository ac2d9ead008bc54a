//go:build unix

package outfile

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// accessible reports whether a pipe or a device may be written to.
func accessible(path string) error {
	if err := unix.Access(path, unix.W_OK); err != nil {
		return &fs.PathError{Op: "access", Path: path, Err: err}
	}
	return nil
}
