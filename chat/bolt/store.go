package bolt

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/hawser-ws/hawser/chat"
)

const (
	// FileName is the store's file in the data folder.
	FileName = "chat.db"

	format = "1"

	// How long to wait for another process to let go of the file, as one does that
	// is being replaced.
	lockTimeout = time.Second

	// As much address space, not memory: growing beyond it makes readers wait.
	initialMmapSize = 64 << 20
)

var (
	bucketMeta          = []byte("meta")
	bucketConversations = []byte("conversations")
	bucketMessages      = []byte("messages")
	bucketPeers         = []byte("peers")
	bucketUsers         = []byte("users")
	bucketRefs          = []byte("refs")
	bucketSteps         = []byte("steps") // made when it is needed

	keyFormat = []byte("format")
	keyEpoch  = []byte("epoch")
	keyLast   = []byte("last")
)

// Store is a chat.Store in a file.
type Store struct {
	path string
	db   *bbolt.DB
	info chat.StoreInfo // as of opening

	recent *recent

	broken atomic.Pointer[error] // why the store is closed for writing; nil while it is not

	// horizon hides what a transaction is about to change, from before it writes
	// until its sync has succeeded: bbolt shows a transaction to readers a moment
	// before that. After a failed sync it stays.
	horizon atomic.Pointer[horizon]

	writing sync.Mutex // held by whoever writes

	room room
}

// horizon holds the ends of the conversations that a transaction changes, as they
// were before it; absent is one that was not there.
type horizon map[chat.Conversation]conversation

// Open opens the store in the data folder dir, and makes both if they are not
// there. The folder gets mode 0700 and the file 0600. It fails if another process
// has the store open, or if it was written in another format.
func Open(dir string) (*Store, error) { return open(dir, lockTimeout) }

func open(dir string, timeout time.Duration) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("chat/bolt: data folder: %w", err)
	}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(dir, path); err != nil {
			return nil, fmt.Errorf("chat/bolt: making %s: %w", path, err)
		}
	}
	s := &Store{path: path, recent: newRecent(), room: room{free: freeSpace, now: time.Now}}
	err := s.guard(func() (err error) {
		if s.db, err = openFile(path, timeout); err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		if err := s.readMeta(path); err != nil {
			return err
		}
		return s.updateLooks()
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("chat/bolt: %s is in use by another process", path)
	case err == nil:
		return s, nil
	case s.db != nil:
		s.db.Close()
	}
	return nil, err
}

// guard runs what reads or writes the file. Where that is damaged, bbolt panics, or
// follows a page's number out of the file: that is an error, and no more.
func (s *Store) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("chat/bolt: %s is damaged: %v", s.path, r)
			s.broken.CompareAndSwap(nil, &err)
		}
	}()
	return f()
}

func openFile(path string, timeout time.Duration) (*bbolt.DB, error) {
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         timeout,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: initialMmapSize,
	})
}

// create makes an empty store under another name and then gives it its own, so that
// a crash leaves either none or a whole one. Linking fails if there is one
// already: then another process was faster, and its file is as good.
func create(dir, path string) error {
	temp := filepath.Join(dir, FileName+".new-"+strings.ToLower(rand.Text()))
	defer os.Remove(temp)
	db, err := openFile(temp, lockTimeout)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketConversations, bucketMessages, bucketPeers, bucketUsers, bucketRefs} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if err := meta.Put(keyFormat, []byte(format)); err != nil {
			return err
		}
		if err := meta.Put(keyEpoch, []byte(strings.ToLower(rand.Text()[:13]))); err != nil {
			return err
		}
		return makeLooks(tx)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Store) readMeta(path string) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil || meta.Get(keyFormat) == nil {
			return fmt.Errorf("chat/bolt: %s is not a chat store", path)
		}
		if got := string(meta.Get(keyFormat)); got != format {
			return fmt.Errorf("chat/bolt: %s has format %q; this program reads and writes format %q only", path, got, format)
		}
		for _, name := range [][]byte{bucketConversations, bucketMessages, bucketPeers, bucketUsers, bucketRefs} {
			if tx.Bucket(name) == nil {
				return fmt.Errorf("chat/bolt: %s is damaged: it has no bucket %q", path, name)
			}
		}
		s.info.Epoch = string(meta.Get(keyEpoch))
		if last := meta.Get(keyLast); len(last) == 8 {
			s.info.LastServerTS = int64(binary.BigEndian.Uint64(last))
		}
		return s.recent.load(tx)
	})
}

// Close closes the file, when what is being read or written is done.
func (s *Store) Close() error { return s.db.Close() }

// Broken returns why the store cannot be trusted any more: the file is damaged, or a
// write failed and it is not known what of it is on disk. nil: it can be.
func (s *Store) Broken() error {
	if err := s.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// Info describes the data as they were when the store was opened.
func (s *Store) Info() chat.StoreInfo { return s.info }
