//go:build !unix

package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Lock reports whether a process has the store in dir open: the error is an
// *InUseError then, and fs.ErrNotExist if there is no store. A file that is open
// cannot be replaced on such systems, so nothing is held until unlock.
func Lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("chat/bolt: %w", err)
	}
	db, err := openFile(path, bbolt.Options{Timeout: lockPatience})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, &InUseError{path}
	}
	if err == nil {
		db.Close()
	}
	return func() {}, nil
}

// unlockFile does nothing: closing the file does it.
func unlockFile(*os.File) {}

// lockFile does nothing: no other process can have unlocked the file.
func lockFile(*os.File) error { return nil }
