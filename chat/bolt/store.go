package bolt

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/local"
)

const (
	// FileName is the store's file in the data folder.
	FileName = "chat.db"

	format = "1"

	// How long to wait for another process to let go of the file, as one does that
	// is being replaced.
	lockTimeout = time.Second

	// How much address space, not memory, is mapped at least. Growing beyond it waits
	// for every reader, and a backup reads for long. On Windows the file is made as
	// large as its mapping.
	roomyMmapSize = 64 << (20 + 10*(^uint(0)>>63)) // 64 GiB, or MiB where an int has 32 bits
	smallMmapSize = 64 << 20
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
	keyKeyID  = []byte("key") // absent in stores from before it
)

// Store is a chat engine in a file: a chat.Log, a chat.Directory and a chat.Health. Parts
// has the others, which are in memory.
type Store struct {
	path  string
	db    *bbolt.DB
	epoch string
	key   string // as of opening: KeyID
	time  *chat.ServerTime

	broker   *local.Broker
	sessions local.Sessions
	bans     local.Bans

	commits committer

	recent *recent

	broken atomic.Pointer[error] // why the store is closed for writing; nil while it is not

	// horizon hides what a transaction is about to change, from before it writes
	// until its sync has succeeded: bbolt shows a transaction to readers a moment
	// before that. After a failed sync it stays.
	horizon atomic.Pointer[horizon]

	writing sync.Mutex // held while a transaction writes

	room room
}

// horizon holds the ends of the conversations that a transaction changes, as they
// were before it; absent is one that was not there.
type horizon map[chat.Conversation]conversation

// Open opens the store in the data folder dir, and makes both if they are not
// there. The folder gets mode 0700 and the file 0600. It fails if another process
// has the store open, or if it was written in another format.
func Open(dir string, o Options) (*Store, error) { return open(dir, lockTimeout, o) }

// Options are how a store works. The zero value is good.
type Options struct {
	Clock chat.Clock   // default: chat.SystemClock()
	Log   *slog.Logger // default: slog.Default()
}

// Parts is the store as a hub takes it. Several hubs may have it at a time.
func (s *Store) Parts() chat.Engine {
	return chat.Engine{Log: s, Directory: s, Broker: s.broker, Presence: s.broker.Presence(), Sessions: &s.sessions, Bans: &s.bans, Health: s}
}

func open(dir string, timeout time.Duration, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = chat.SystemClock()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
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
	s.broker = local.NewBroker(s, s)
	newest := int64(0)
	err := s.guard(func() (err error) {
		if s.db, err = openCurrent(path, timeout); err != nil {
			return err
		}
		if err := s.readMeta(path, &newest); err != nil {
			return err
		}
		if err := s.refuseBackup(path); err != nil {
			return err
		}
		if err := s.db.View(s.recent.load); err != nil {
			return err
		}
		return s.updateLooks()
	})
	if err != nil && s.db != nil {
		s.db.Close()
	}
	if err != nil {
		return nil, err
	}
	s.time = chat.NewServerTime(o.Clock, newest, o.Log)
	s.startCommitter()
	return s, nil
}

// openCurrent opens the file and locks it. A process that waits for the lock may get it only
// when a restore has put another file in its place; then that one is opened.
func openCurrent(path string, timeout time.Duration) (*bbolt.DB, error) {
	for {
		var opened fs.FileInfo
		db, err := openFile(path, bbolt.Options{Timeout: timeout, OpenFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			if err == nil {
				opened, err = f.Stat()
			}
			return f, err
		}})
		if errors.Is(err, berrors.ErrTimeout) {
			return nil, &InUseError{path}
		}
		if err != nil {
			return nil, fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		if current, err := os.Stat(path); err == nil && os.SameFile(opened, current) {
			return db, nil
		}
		db.Close()
	}
}

// InUseError says that another process, most likely a server, has a store open.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return "chat/bolt: " + e.Path + " is in use by another process"
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

func openFile(path string, o bbolt.Options) (*bbolt.DB, error) {
	o.FreelistType = bbolt.FreelistMapType
	o.InitialMmapSize = smallMmapSize
	if runtime.GOOS == "linux" {
		o.InitialMmapSize = roomyMmapSize
		if info, err := os.Stat(path); err == nil && info.Size() <= math.MaxInt/8 {
			o.InitialMmapSize = max(roomyMmapSize, 4*int(info.Size()))
		}
	}
	db, err := bbolt.Open(path, 0o600, &o)
	if errors.Is(err, syscall.ENOMEM) { // address space is limited (ulimit -v)
		o.InitialMmapSize = smallMmapSize
		db, err = bbolt.Open(path, 0o600, &o)
	}
	return db, err
}

// create makes an empty store under another name and then gives it its own, so that
// a crash leaves either none or a whole one. Linking fails if there is one
// already: then another process was faster, and its file is as good.
func create(dir, path string) error {
	temp := filepath.Join(dir, FileName+".new-"+strings.ToLower(rand.Text()))
	defer os.Remove(temp)
	db, err := openFile(temp, bbolt.Options{Timeout: lockTimeout})
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
		if err := meta.Put(keyEpoch, newEpoch()); err != nil {
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

func newEpoch() []byte { return []byte(strings.ToLower(rand.Text()[:13])) }

// syncDir makes a new name in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Store) readMeta(path string, newest *int64) error {
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
		s.epoch = string(meta.Get(keyEpoch))
		s.key = string(meta.Get(keyKeyID))
		if last := meta.Get(keyLast); len(last) == 8 {
			*newest = int64(binary.BigEndian.Uint64(last))
		}
		return nil
	})
}

// Close closes the file, when what waits is written. The error is ctx's if that ends first.
// Then nothing more is begun, and what has not begun is refused. A transaction that is under
// way is not waited for: whoever does is told how it ended, and the file is left to the end
// of the process.
func (s *Store) Close(ctx context.Context) error {
	s.commits.close()
	closed := make(chan error, 1)
	go func() {
		<-s.commits.over
		closed <- s.db.Close() // waits for readers
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		s.commits.halt()
		return ctx.Err()
	}
}

// Broken returns why the store cannot be trusted any more: the file is damaged, or a
// write failed and it is not known what of it is on disk. nil: it can be.
func (s *Store) Broken() error {
	if err := s.broken.Load(); err != nil {
		return *err
	}
	return nil
}
