package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
)

// Format 1 had no checksums, no log and no index:
//
//	conversations  name                number, last seq, last server_ts, 8 bytes each
//	messages       number, seq         server_ts in 8 bytes, then five fields after their lengths
//	users          id                  created in 8 bytes, then the name
//	refs           day                 a bucket: number, sender 00 ref → seq, server_ts
//	steps          number, seq         empty
//	peers, looks                       as today, empty
//	meta           epoch, key          plain
//	backup         state, token.key    plain
//
// A file is migrated by writing another one, which takes its name when it is complete,
// synced and checked. Until then, nothing has happened.
//
// The old file may be damaged, which shows only where its content makes no sense. So it is read
// without bbolt (salvage.go), as far as possible, and its records are checked against each other
// (oldmessages.go). Each loss is reported. If there is any, the old file is kept: better tools
// may be able to read more of it.

const (
	// migrationSuffix is the suffix of the file that is written.
	migrationSuffix = ".format-" + format

	// keptSuffix is the suffix of an old file that something was lost from.
	keptSuffix = ".format-" + oldFormat

	// maxLogged is how many losses are logged one by one.
	maxLogged = 100
)

// migrate converts the open file to the current format, if it has the old one.
func (s *Store) migrate(timeout time.Duration) error {
	old := ""
	if err := s.db.View(func(tx *bbolt.Tx) error { old = formatOf(tx); return nil }); err != nil {
		return err
	}
	if old != oldFormat {
		os.Remove(s.path + migrationSuffix) // of a migration that was killed, before the data were replaced
		return nil
	}
	if state, _ := s.backup(); state == stateSealed {
		return s.refuseBackup(s.path)
	}
	began := time.Now()
	s.log.Info("migrating the chat to another format, in a second file: it takes about as much room on the disk again, for as long as that lasts", "file", s.path, "from", oldFormat, "to", format)
	var losses []string
	count := 0
	m, err := migrateFile(context.Background(), s.path, func(what string) {
		if count++; count <= maxLogged {
			losses = append(losses, what)
		}
	})
	if err == nil && count > 0 {
		err = s.keepOld(losses, count)
	}
	// If an open file can be replaced, the old file is locked until the new one has its name.
	if err == nil && runtime.GOOS == "windows" {
		err = s.db.Close()
	}
	if err == nil {
		err = replaceMigrated(s.path)
	}
	if err != nil {
		return fmt.Errorf("chat/bolt: %s, which is as it was, could not be migrated to format %s: %w", s.path, format, err)
	}
	if err := s.db.Close(); err != nil {
		return err
	}
	if err = s.openCurrent(timeout); err != nil {
		return err
	}
	s.log.Info("migrated the chat", "file", s.path, "took", time.Since(began).Round(time.Millisecond), "messages", m.stored, "conversations", m.placed, "lost", count)
	return nil
}

// keepOld gives the old file a second name, and reports what was lost.
func (s *Store) keepOld(losses []string, count int) error {
	kept, err := linkFree(s.path, s.path+keptSuffix)
	if err != nil {
		return fmt.Errorf("some of it is damaged, and it could not be kept: %w", err)
	}
	for _, what := range losses {
		s.log.Error("the chat was damaged before it was migrated", "lost", what, "file", kept)
	}
	s.log.Error("the chat was damaged before it was migrated: everything else is there, and the file as it was is kept. A backup from before may have what is lost",
		"file", kept, "lost", count, "listed", len(losses))
	return nil
}

// linkFree links a file to a name that no other file has: the given one, or the given one with a
// number. An existing link to the same file is accepted.
func linkFree(path, name string) (string, error) {
	free := name
	for n := 2; ; n++ {
		err := os.Link(path, free)
		if !errors.Is(err, fs.ErrExist) {
			return free, err
		}
		a, err := os.Stat(path)
		b, err2 := os.Stat(free)
		if err := errors.Join(err, err2); err != nil {
			return "", err
		}
		if os.SameFile(a, b) { // from a migration that was killed
			return free, nil
		}
		free = fmt.Sprintf("%s.%d", name, n)
	}
}

// replaceMigrated puts the file that migrateFile has written in the place of the old one.
func replaceMigrated(path string) error {
	if err := os.Rename(path+migrationSuffix, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Upgrade converts the copy of a store or backup in path, which must not be open, to the
// current format, if it has the old one. It calls lose with a description of each thing that
// is damaged and therefore lost, as Check does.
func Upgrade(ctx context.Context, path string, lose func(what string)) error {
	s := newStore(path, checkpointEvery, slog.New(slog.DiscardHandler))
	return s.guard(func() (err error) {
		if s.db, err = openFile(path, bbolt.Options{Timeout: lockTimeout, ReadOnly: true}); err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		old := ""
		err = s.db.View(func(tx *bbolt.Tx) error { old = formatOf(tx); return nil })
		if err := errors.Join(err, s.db.Close()); err != nil || old != oldFormat {
			return err
		}
		if _, err = migrateFile(ctx, path, lose); err == nil {
			err = replaceMigrated(path)
		}
		if err != nil {
			return fmt.Errorf("chat/bolt: %s could not be migrated to format %s: %w", path, format, err)
		}
		return nil
	})
}

// migrateFile writes what is in an old file to another one beside it, which is complete,
// synced and checked when there is no error. With an error there is none.
func migrateFile(ctx context.Context, path string, lose func(what string)) (m *migration, err error) {
	temp := path + migrationSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err = newMigration(ctx, f, lose)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.Remove(temp)
		}
	}()
	if m.db, err = openFile(temp, bbolt.Options{Timeout: lockTimeout, NoSync: true}); err != nil {
		return nil, err
	}
	err = newStore(temp, checkpointEvery, slog.New(slog.DiscardHandler)).guard(m.run)
	if err == nil {
		err = m.db.Sync()
	}
	if err = errors.Join(err, m.rollback(), m.db.Close()); err != nil {
		return nil, err
	}
	if err = m.check(temp); err != nil {
		return nil, fmt.Errorf("what was written is not what was read: %w", err)
	}
	return m, nil
}

// check reads the new file. Anything missing from it is missing from the old one, too.
func (m *migration) check(path string) error {
	c, err := Check(m.ctx, path, m.lose)
	if want := m.stored - m.nameless; err == nil && c.Messages != want {
		err = fmt.Errorf("there are %d messages of %d", c.Messages, want)
	}
	return err
}
