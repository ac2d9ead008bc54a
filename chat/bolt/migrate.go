package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
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
// A file is migrated by writing another one, which takes its name when it is complete and
// synced. Until then, nothing has happened.

// migrationSuffix is that of the file that is written.
const migrationSuffix = ".format-" + format

// migrationBatch is how many records one transaction of a migration writes.
const migrationBatch = 8192

// migrate brings the open file to today's format, if it is of the old one.
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
	m, err := migrateFile(s.db, s.path)
	if err != nil {
		return fmt.Errorf("chat/bolt: %s, which is as it was, could not be migrated to format %s: %w", s.path, format, err)
	}
	// The old file is locked until the new one has its name.
	if err := s.db.Close(); err != nil {
		return err
	}
	if s.db, err = openCurrent(s.path, timeout); err != nil {
		return err
	}
	s.log.Info("migrated the chat", "file", s.path, "took", time.Since(began).Round(time.Millisecond), "messages", m.messages, "conversations", len(m.starts), "damaged", m.damaged)
	return nil
}

// Upgrade converts the copy of a store or backup in path, which must not be open, to the
// current format, if it has the old one.
func Upgrade(path string) error {
	s := newStore(path, checkpointEvery, slog.New(slog.DiscardHandler))
	return s.guard(func() (err error) {
		if s.db, err = openFile(path, bbolt.Options{Timeout: lockTimeout, ReadOnly: true}); err != nil {
			return fmt.Errorf("chat/bolt: %s: %w", path, err)
		}
		defer s.db.Close()
		old := ""
		if err := s.db.View(func(tx *bbolt.Tx) error { old = formatOf(tx); return nil }); err != nil || old != oldFormat {
			return err
		}
		if _, err = migrateFile(s.db, path); err != nil {
			return fmt.Errorf("chat/bolt: %s could not be migrated to format %s: %w", path, format, err)
		}
		return nil
	})
}

// migrateFile writes what is in an old file anew, and puts that in its place.
func migrateFile(old *bbolt.DB, path string) (*migration, error) {
	if _, err := checkPages(path); err != nil {
		return nil, err
	}
	temp := path + migrationSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) { // of one that was killed
		return nil, err
	}
	db, err := openFile(temp, bbolt.Options{Timeout: lockTimeout, NoSync: true})
	if err != nil {
		return nil, err
	}
	m := &migration{db: db, starts: make(map[uint64]uint64), refKey: newRefKey()}
	err = old.View(m.run)
	if err == nil {
		err = db.Sync()
	}
	if err := errors.Join(err, m.rollback(), db.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(temp))
	}
	if runtime.GOOS == "windows" { // no file that is open can be replaced there
		if err := old.Close(); err != nil {
			return nil, err
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return nil, err
	}
	return m, syncDir(filepath.Dir(path))
}

// migration writes a new file.
type migration struct {
	old    *bbolt.Tx
	db     *bbolt.DB
	tx     *bbolt.Tx
	writes int // in tx
	refKey refKey

	position uint64
	messages uint64
	damaged  uint64            // of these
	starts   map[uint64]uint64 // by number: the position before the first message
}

func (m *migration) run(old *bbolt.Tx) error {
	m.old = old
	for _, name := range [][]byte{bucketMeta, bucketConversations, oldMessages, bucketUsers, bucketRefs} {
		if old.Bucket(name) == nil {
			return fmt.Errorf("it is damaged: it has no bucket %q", name)
		}
	}
	meta := old.Bucket(bucketMeta)
	if err := m.begin(); err != nil {
		return err
	}
	if err := makeBuckets(m.tx, meta.Get(keyEpoch), m.refKey); err != nil {
		return err
	}
	if key := meta.Get(keyKeyID); key != nil {
		if err := putMeta(m.tx, keyKeyID, key); err != nil {
			return err
		}
	}
	for _, step := range []func() error{m.conversations, m.steps, m.users, m.refs, m.backup} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := putMeta(m.tx, keyCheckpoint, numberKey(m.position)); err != nil {
		return err
	}
	return m.commit()
}

func (m *migration) begin() (err error) {
	m.writes = 0
	m.tx, err = m.db.Begin(true)
	return err
}

func (m *migration) commit() error {
	tx := m.tx
	m.tx = nil
	return tx.Commit()
}

func (m *migration) rollback() error {
	if m.tx == nil {
		return nil
	}
	return m.tx.Rollback()
}

// put writes a record, and begins another transaction from time to time.
func (m *migration) put(bucket, key, record []byte, fill float64) error {
	if m.writes++; m.writes > migrationBatch {
		if err := errors.Join(m.commit(), m.begin()); err != nil {
			return err
		}
	}
	b := m.tx.Bucket(bucket)
	b.FillPercent = fill
	return b.Put(key, record)
}

var oldMessages = []byte("messages")

func (m *migration) conversations() error {
	conversations := m.old.Bucket(bucketConversations)
	count := uint64(0)
	err := conversations.ForEach(func(name, v []byte) error {
		count++
		if len(v) != 24 {
			return fmt.Errorf("the record of the conversation %s is damaged", name)
		}
		p := place{conversation: conversation{number: binary.BigEndian.Uint64(v), seq: binary.BigEndian.Uint64(v[8:]), serverTS: int64(binary.BigEndian.Uint64(v[16:]))}}
		if _, twice := m.starts[p.number]; twice || !p.exists() {
			return fmt.Errorf("the record of the conversation %s is damaged", name)
		}
		return m.conversation(chat.Conversation(name), p)
	})
	if err != nil {
		return err
	}
	if count != conversations.Sequence() {
		return fmt.Errorf("it is damaged: there are %d conversations of %d", count, conversations.Sequence())
	}
	return m.tx.Bucket(bucketConversations).SetSequence(count)
}

// conversation writes one, with its messages.
func (m *migration) conversation(name chat.Conversation, p place) error {
	m.starts[p.number] = m.position
	c := m.old.Bucket(oldMessages).Cursor()
	k, v := c.Seek(pairKey(p.number, 1))
	for p.change < p.seq {
		p.change++
		m.position++
		m.messages++
		e := entry{kind: kindMessage, number: p.number, change: p.change, seq: p.change, tag: rand.Uint32()}
		p.tag = e.tag
		whole := bytes.Equal(k, pairKey(p.number, p.change))
		if whole {
			var err error
			e.message, err = decodeOldMessage(v)
			e.serverTS = e.message.ServerTS
			whole = err == nil
			k, v = c.Next()
		}
		if whole {
			key := numberKey(m.position)
			if err := m.put(bucketLog, key, e.encode(key), 1); err != nil {
				return err
			}
		} else {
			m.damaged++ // its place stays empty
		}
		p.positions = append(p.positions, m.position)
		if len(p.positions) == blockSize {
			key := pairKey(p.number, p.change/blockSize-1)
			if err := m.put(bucketIndex, key, encodeBlock(key, p.positions), 0.9); err != nil {
				return err
			}
			p.positions = p.positions[:0]
		}
	}
	if err := putPeers(m.tx, name); err != nil {
		return err
	}
	return m.put(bucketConversations, []byte(name), p.encode(name), 0.7)
}

func decodeOldMessage(b []byte) (e chat.Message, err error) {
	d := decoder{b: b}
	if ts := d.bytes(8); ts != nil {
		e.ServerTS = int64(binary.BigEndian.Uint64(ts))
	}
	e.Sender, e.SenderName, e.Timestamp, e.Content = d.field(), d.field(), d.field(), d.field()
	e.Metadata = []byte(d.field())
	return e, d.end()
}

func (m *migration) steps() error {
	steps := m.old.Bucket(bucketSteps)
	if steps == nil {
		return nil
	}
	count := uint64(0)
	err := steps.ForEach(func(k, _ []byte) error {
		count++
		return m.put(bucketSteps, k, mark(bucketSteps, k), 0.9)
	})
	return errors.Join(err, m.tx.Bucket(bucketSteps).SetSequence(count))
}

func (m *migration) users() error {
	count := uint64(0)
	err := m.old.Bucket(bucketUsers).ForEach(func(id, v []byte) error {
		count++
		if len(v) < 8 {
			return fmt.Errorf("the record of the user %s is damaged", id)
		}
		u := chat.User{ID: string(id), Name: string(v[8:]), Created: int64(binary.BigEndian.Uint64(v))}
		if err := putLook(m.tx.Bucket(bucketLooks), &u); err != nil {
			return err
		}
		return m.put(bucketUsers, id, encodeUser(&u), 0.7)
	})
	return errors.Join(err, m.tx.Bucket(bucketUsers).SetSequence(count))
}

// refs writes runs, the oldest first.
func (m *migration) refs() error {
	run, newest := make(map[refHash]uint64), int64(0)
	flush := func() error {
		var refs []foundRef
		for h, at := range run {
			refs = append(refs, foundRef{h, at})
		}
		if len(refs) == 0 {
			return nil
		}
		if _, err := putRun(m.tx, refs, newest, newest); err != nil {
			return err
		}
		run, newest = make(map[refHash]uint64), 0
		return errors.Join(m.commit(), m.begin())
	}
	days := m.old.Bucket(bucketRefs)
	err := days.ForEach(func(dayKey, _ []byte) error {
		b := days.Bucket(dayKey)
		if b == nil {
			return fmt.Errorf("the refs of day %x are damaged", dayKey)
		}
		err := b.ForEach(func(k, v []byte) error {
			if len(k) < 8 || len(v) != 16 {
				return fmt.Errorf("a ref of day %x is damaged", dayKey)
			}
			number, seq, ts := binary.BigEndian.Uint64(k), binary.BigEndian.Uint64(v), int64(binary.BigEndian.Uint64(v[8:]))
			sender, ref, _ := bytes.Cut(k[8:], []byte{0})
			run[m.refKey.hash(number, string(sender), string(ref))] = m.starts[number] + seq
			newest = max(newest, ts)
			if len(run) == checkpointEvery {
				return flush()
			}
			return nil
		})
		if err != nil {
			return err
		}
		return flush()
	})
	return err
}

func (m *migration) backup() error {
	b := m.old.Bucket(bucketBackup)
	if b == nil {
		return nil
	}
	return putBackup(m.tx, string(b.Get(keyState)), b.Get(keyToken))
}
