package bolt

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// openCurrent opens the file and locks it. A process that waits for the lock may get it only
// when a restore has put another file in its place; then that one is opened.
func (s *Store) openCurrent(timeout time.Duration) error {
	for {
		var opened fs.FileInfo
		var file *os.File
		db, err := openFile(s.path, bbolt.Options{Timeout: timeout, OpenFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			if err == nil {
				file = f
				opened, err = f.Stat()
			}
			return f, err
		}})
		if errors.Is(err, berrors.ErrTimeout) {
			return &InUseError{s.path}
		}
		if err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", s.path, err)
		}
		if current, err := os.Stat(s.path); err == nil && os.SameFile(opened, current) {
			s.db, s.file = db, file
			return nil
		}
		db.Close()
	}
}

// InUseError says that another process, most likely a server, has a store open.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return "chat/bolt: " + e.Path + " is in use by another process"
}

// guard runs a function that reads or writes the file. If the file is damaged, bbolt panics,
// or follows a page's number out of the file: guard turns that into a pageError.
func (s *Store) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &pageError{s.path, r}
		}
	}()
	return f()
}

// pageError says that a page of a file is damaged. It is an errDamaged.
type pageError struct {
	path string
	what any // bbolt's words, or the runtime's
}

func (e *pageError) Error() string {
	return fmt.Sprintf("chat/bolt: %s is damaged: %v", e.path, e.what)
}
func (e *pageError) Unwrap() error { return errDamaged }

func openFile(path string, o bbolt.Options) (*bbolt.DB, error) {
	o.FreelistType = bbolt.FreelistMapType
	o.InitialMmapSize = smallMmapSize
	if runtime.GOOS == "linux" {
		o.InitialMmapSize = roomyMmapSize
		if info, err := os.Stat(path); err == nil && info.Size() <= math.MaxInt/8 {
			o.InitialMmapSize = max(roomyMmapSize, 4*int(info.Size()))
		}
	}
	db, err := openOrPanic(path, &o)
	if errors.Is(err, syscall.ENOMEM) { // address space is limited (ulimit -v)
		o.InitialMmapSize = smallMmapSize
		db, err = openOrPanic(path, &o)
	}
	return db, err
}

// openOrPanic opens a file. If bbolt panics at its content, it leaves the file open, and
// locked.
func openOrPanic(path string, o *bbolt.Options) (db *bbolt.DB, err error) {
	var opened *os.File
	open := o.OpenFile
	if open == nil {
		open = os.OpenFile
	}
	with := *o
	with.OpenFile = func(name string, flag int, mode fs.FileMode) (*os.File, error) {
		f, err := open(name, flag, mode)
		opened = f
		return f, err
	}
	defer func() {
		if r := recover(); r != nil {
			unlockFile(opened)
			opened.Close()
			panic(r)
		}
	}()
	return bbolt.Open(path, 0o600, &with)
}

// create makes an empty store under another name and then gives it its own, so that
// a crash leaves either none or a whole one. Linking fails if there is one already: then
// another process was faster, and its file is equally good.
func create(dir, path string) error {
	temp := filepath.Join(dir, FileName+".new-"+strings.ToLower(rand.Text()))
	defer os.Remove(temp)
	db, err := openFile(temp, bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error { return makeBuckets(tx, newEpoch(), newRefKey()) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func newEpoch() []byte { return []byte(strings.ToLower(rand.Text()[:13])) }

// syncDir makes a new name in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func newRefKey() (k refKey) {
	rand.Read(k[:])
	return k
}
