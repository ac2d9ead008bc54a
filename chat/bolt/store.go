package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/local"
)

const (
	// FileName is the store's file in the data folder.
	FileName = "chat.db"

	format       = "3"
	formerFormat = "2" // converted in place: convert
	oldFormat    = "1" // migrate.go

	// How long to wait for another process to release the file, as a process that is being
	// replaced does.
	lockTimeout = time.Second

	// The minimum of address space, not memory, that is mapped. Growing beyond it waits for every
	// reader, and a backup reads for a long time. On Windows the file is made as large as its
	// mapping.
	roomyMmapSize = 64 << (20 + 10*(^uint(0)>>63)) // 64 GiB, or MiB if an int has 32 bits
	smallMmapSize = 64 << 20
)

// Store is a chat engine in a file: a chat.Log, a chat.Directory and a
// chat.Health. Parts has the others.
type Store struct {
	path  string
	db    *bbolt.DB
	file  *os.File // which db has open
	epoch string
	key   string // as of opening: KeyID
	clock chat.Clock
	time  *chat.ServerTime

	broker   *local.Broker
	members  *members
	sessions *local.Sessions
	unsaved  unsaved
	bans     *local.Bans

	commits committer

	recent *recent
	latest *latest
	damage damage
	log    *slog.Logger
	refKey refKey // as of opening
	unsure unsure // as of opening

	// The committer's.
	position     uint64 // of the last record of the log
	refs         map[refHash]uint64
	newestRef    int64 // server_ts of the newest message in refs
	runs         []*run
	every        int // about how many changes there are between two checkpoints
	checkpointAt int // how many there are at the next one
	indexing     *checkpoint
	joins        uint64 // the last record of joins
	membersEvery int    // about how many memberships there may be in memory
	membersAt    int    // how many there are when they are written next
	placing      *placing
	pieceSize    int

	mu sync.RWMutex
	// Guarded by mu. Changed by the committer only.
	fresh   map[chat.Conversation]*fresh
	changes int // in fresh

	broken atomic.Pointer[error] // why the store is closed for writing; nil while it is not

	// Held while a transaction writes, and while the store is frozen; for reading, while a
	// transaction that reads begins.
	writing sync.RWMutex

	inherited  atomic.Bool    // another process has the file; Start was not called
	inheriting sync.WaitGroup // reads sessions and bans

	figures figures

	stop    context.CancelFunc // ends the background work
	filters sync.WaitGroup     // that

	room room
}

// Open opens the store in the data folder dir, and makes both if they do not exist. The folder
// gets mode 0700 and the file 0600. It fails if another process has the store open, or if it was
// written in another format.
func Open(dir string, o Options) (*Store, error) { return open(dir, lockTimeout, o) }

// Options configure a store. The zero value means the defaults.
type Options struct {
	Clock chat.Clock   // default: chat.SystemClock()
	Log   *slog.Logger // default: slog.Default()

	SessionLife time.Duration // of a session without a connection; default: chat.SessionLife

	// Inherit makes a Store that takes over from another process: it is empty until Store.Inherit,
	// and writes nothing before Store.Start.
	Inherit bool

	every   int // how many changes between two checkpoints; default: checkpointEvery
	members int // how many memberships there may be in memory; default: membersEvery
	piece   int // default: pieceSize
}

// Parts returns the store in the form that a hub takes. Several hubs may use it at once.
func (s *Store) Parts() chat.Engine {
	return chat.Engine{
		Log: s, Directory: s, Members: memberships{s.members}, Broker: s.broker, Presence: s.broker.Presence(),
		Sessions: s.sessions, Bans: bans{s}, Health: s, Takeover: takeover{s},
	}
}

func open(dir string, timeout time.Duration, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = chat.SystemClock()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.every == 0 {
		o.every = checkpointEvery
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("chat/bolt: data folder: %w", err)
	}
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !o.Inherit {
		if err := create(dir, path); err != nil {
			return nil, fmt.Errorf("chat/bolt: making %s: %w", path, err)
		}
	}
	if o.members == 0 {
		o.members = min(membersEvery, o.every)
	}
	s := newStore(path, o.every, o.Log)
	s.membersEvery, s.membersAt, s.pieceSize = o.members, o.members, cmp.Or(o.piece, pieceSize)
	s.clock = o.Clock
	if o.Inherit {
		if _, err := os.Stat(path); err != nil {
			return nil, s.notInherited()
		}
		s.inherited.Store(true)
		s.time = chat.NewServerTime(o.Clock, 0, o.Log)
		s.makeSessions(o.SessionLife, nil, nil)
		return s, nil
	}
	if err := s.openAndRead(timeout); err != nil {
		if s.db != nil {
			s.db.Close()
		}
		return nil, err
	}
	s.time = chat.NewServerTime(o.Clock, s.newest(o.Clock.Now()), o.Log)
	s.makeSessions(o.SessionLife, s.savedSessions(), s.savedBans())
	s.start()
	return s, nil
}

// start begins the background work.
func (s *Store) start() {
	s.startCommitter()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	runs := s.runs
	s.filters.Go(func() {
		s.makeFilters(ctx, runs)
		s.readMembers(ctx)
	})
}

func newStore(path string, every int, log *slog.Logger) *Store {
	s := &Store{
		path:         path,
		recent:       newRecent(),
		latest:       newLatest(),
		log:          log,
		damage:       damage{log: log, path: path, known: make(map[damagedRecord]bool)},
		refs:         make(map[refHash]uint64),
		every:        every,
		checkpointAt: every,
		fresh:        make(map[chat.Conversation]*fresh),
		figures:      newFigures(),
		room:         room{free: freeSpace, now: time.Now},
	}
	s.broker = local.NewBroker(s, s)
	s.members = newMembers(s)
	return s
}

// openAndRead opens the file, and reads what is in memory while it is open. If messages or
// conversations are missing, the rest can be read, but nothing can be written.
func (s *Store) openAndRead(timeout time.Duration) error {
	return s.guard(func() (err error) {
		if err := s.openCurrent(timeout); err != nil {
			return err
		}
		if err := s.migrate(timeout); err != nil {
			return err
		}
		lost, err := checkPages(s.path)
		if err == nil {
			err = s.db.View(s.readMeta)
		}
		if err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", s.path, err)
		}
		if err := s.refuseBackup(s.path); err != nil {
			return err
		}
		if err := s.convert(); err != nil {
			return err
		}
		s.readAll()
		if s.Broken() != nil {
			return nil
		}
		if lost {
			if err := s.beginEpoch(); err != nil {
				return err
			}
		}
		if err := s.mend(); err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", s.path, err)
		}
		return s.updateLooks()
	})
}

// readAll reads what is in memory while the file is open.
func (s *Store) readAll() {
	for _, read := range []func(*bbolt.Tx) error{s.replay, s.readRuns, s.readUsers, s.readJoins} {
		if err := s.guard(func() error { return s.db.View(read) }); err != nil {
			err = fmt.Errorf("chat/bolt: %s is damaged, and closed for writing: %w", s.path, err)
			s.damage.note("", 0, err)
			s.broken.CompareAndSwap(nil, &err)
		}
	}
}

// beginEpoch begins a new epoch after a transaction that may be lost: the seqs of its messages are
// reused, and clients must not confuse the two.
func (s *Store) beginEpoch() error {
	epoch := newEpoch()
	if err := s.db.Update(func(tx *bbolt.Tx) error { return putMeta(tx, keyEpoch, epoch) }); err != nil {
		return fmt.Errorf("chat/bolt: %s: %w", s.path, err)
	}
	s.epoch = string(epoch)
	s.log.Error("one of the two pages that say where the newest data are was damaged: the messages and accounts that were stored last, within a fraction of a second, may be lost. A new epoch has begun, so that clients read everything anew",
		"file", s.path, "epoch", s.epoch)
	return nil
}

// newest is the server_ts of the last message that was stored.
func (s *Store) newest(now time.Time) (ts int64) {
	s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			if at, err := getMeta(tx, keyMigrated); err == nil && bytes.Equal(at, numberKey(s.position)) {
				ts = newestMigrated(tx, now)
				return nil
			}
			c := tx.Bucket(bucketLog).Cursor()
			k, v := c.Last()
			for range maxDamaged { // skip records that are damaged or not messages
				e, err := decodeHeadOf(k, v)
				if k == nil || err == nil && e.kind == kindMessage {
					ts = e.serverTS
					return nil
				}
				k, v = c.Prev()
			}
			return nil
		})
	})
	return ts
}

// Close closes the file when everything that waits is written. The error is ctx's if that ends
// first. Then nothing more is begun, and jobs that have not begun are refused. Close does not wait
// for a transaction that is under way, but its callers are told how it ended, and the file is left
// open until the process ends.
func (s *Store) Close(ctx context.Context) error {
	s.stop()
	closed := make(chan error, 1)
	go func() {
		s.sessions.Close()
		s.commits.close()
		<-s.commits.over
		s.filters.Wait()
		closed <- s.db.Close() // waits for readers
	}()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		s.commits.close()
		s.commits.halt()
		return ctx.Err()
	}
}

// Broken returns why the store cannot be trusted any more: the file is damaged, or a write failed
// and it is unknown how much of it is on disk. nil: it can be trusted.
func (s *Store) Broken() error {
	if err := s.broken.Load(); err != nil {
		return *err
	}
	return nil
}
