//go:build unix

package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock keeps every process from opening the store in dir, even one that is damaged,
// until unlock is called. The error is an *InUseError if one has it open, and
// fs.ErrNotExist if there is none.
func Lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("chat/bolt: %w", err)
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 10) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) // what bbolt locks with
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("chat/bolt: lock of %s: %w", path, err)
		case time.Now().After(end):
			f.Close()
			return nil, &InUseError{path}
		}
	}
}

// unlockFile releases a file's lock, which its mapping would keep.
func unlockFile(f *os.File) { unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// lockFile locks an open file, unless it is locked by its own lock already.
func lockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
