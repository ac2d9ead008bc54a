package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// migrationBatch is how many records one transaction of a migration writes.
const migrationBatch = 8192

// migration writes a new file.
type migration struct {
	ctx context.Context
	err error // the first one; nothing more is done after it

	// The old file.
	pages   *pages
	buckets map[string]bucket
	meta    map[string][]byte
	records map[uint64][]*oldRecord // of conversations, by the number that they say

	// The new one.
	db     *bbolt.DB
	tx     *bbolt.Tx
	writes int // in tx
	refKey refKey

	position uint64
	current  *oldThread
	starts   map[uint64]uint64 // by number: the position before the first message
	ends     map[uint64]uint64 // by number: the last seq
	left     []*oldRecord      // without messages
	unnamed  []*oldThread      // messages without a record

	stored   uint64 // messages
	nameless uint64 // those of them whose conversation is not known
	placed   uint64 // conversations
	highest  uint64 // number of these
	newEpoch bool   // ids that were used may be used again

	tell   func(what string)
	losses int // that were reported
	broken int // pages that were not whole, so far
}

// newMigration reads everything that is needed before the first write.
func newMigration(ctx context.Context, old io.ReaderAt, lose func(string)) (*migration, error) {
	p, err := openPages(old)
	if err != nil {
		return nil, err
	}
	m := &migration{
		ctx:     ctx,
		pages:   p,
		buckets: make(map[string]bucket),
		meta:    make(map[string][]byte),
		records: make(map[uint64][]*oldRecord),
		refKey:  newRefKey(),
		starts:  make(map[uint64]uint64),
		ends:    make(map[uint64]uint64),
		tell:    lose,
	}
	p.bad = func(page uint64, what string) {
		m.broken++
		m.lose(fmt.Sprintf("page %d: %s", page, what))
	}
	for _, b := range p.buckets() {
		m.buckets[string(b.name)] = b
	}
	for _, name := range [][]byte{bucketMeta, bucketConversations, oldMessages, bucketUsers, bucketRefs} {
		if _, ok := m.buckets[string(name)]; !ok {
			return nil, fmt.Errorf("it is damaged: it has no bucket %q", name)
		}
	}
	m.each(bucketMeta, func(e element) error {
		m.meta[string(e.key)] = bytes.Clone(e.value)
		return nil
	})
	return m, m.err
}

// lose reports something that is lost.
func (m *migration) lose(what string) {
	m.losses++
	m.tell(what)
}

// each calls f for every whole record of a bucket of the old file.
func (m *migration) each(name []byte, f func(element) error) {
	if b, ok := m.buckets[string(name)]; ok {
		m.eachOf(b, f)
	}
}

func (m *migration) eachOf(b bucket, f func(element) error) {
	m.pages.salvage(b, func(e element) {
		if m.err == nil {
			m.err = m.ctx.Err()
		}
		if m.err == nil {
			m.err = f(e)
		}
	})
}

// epochPattern is what newEpoch makes.
var epochPattern = regexp.MustCompile(`^[a-z2-7]{13}$`)

func (m *migration) run() error {
	// In a backup, one of the two may be older than the previous transaction.
	if _, backup := m.buckets[string(bucketBackup)]; m.pages.lost && !backup {
		m.newEpoch = true
		m.lose("one of the pages 0 and 1 is damaged: what was stored last may be lost")
	}
	if !epochPattern.Match(m.meta[string(keyEpoch)]) {
		m.newEpoch = true
		m.lose("the epoch: a new one begins")
	}
	if err := m.begin(); err != nil {
		return err
	}
	if err := makeBuckets(m.tx, m.meta[string(keyEpoch)], m.refKey); err != nil {
		return err
	}
	if key := m.meta[string(keyKeyID)]; key != nil {
		if err := putMeta(m.tx, keyKeyID, key); err != nil {
			return err
		}
	}
	for _, step := range []func() error{m.users, m.steps, m.conversations, m.refs, m.backup} {
		if err := errors.Join(step(), m.err); err != nil {
			return err
		}
	}
	if m.newEpoch {
		if err := putMeta(m.tx, keyEpoch, newEpoch()); err != nil {
			return err
		}
	}
	at := numberKey(m.position)
	if err := errors.Join(putMeta(m.tx, keyCheckpoint, at), putMeta(m.tx, keyMigrated, at)); err != nil {
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

// put writes a record, and begins a new transaction from time to time.
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

// The old file does not say how many steps and users there were. If some are lost, the new
// one says that there were more than it has, just as if it had lost them itself.
func (m *migration) setCount(bucket []byte, count uint64, lossesBefore int) error {
	return m.tx.Bucket(bucket).SetSequence(count + uint64(m.losses-lossesBefore))
}

func (m *migration) steps() error {
	count, before := uint64(0), m.losses
	m.each(bucketSteps, func(e element) error {
		if len(e.key) != 16 {
			m.lose(fmt.Sprintf("where the clock went back: the record %x is damaged", e.key))
			return nil
		}
		count++
		return m.put(bucketSteps, e.key, mark(bucketSteps, e.key), 0.9)
	})
	return m.setCount(bucketSteps, count, before)
}

func (m *migration) users() error {
	count, before := uint64(0), m.losses
	m.each(bucketUsers, func(e element) error {
		if len(e.value) < 8 || len(e.key) == 0 || !utf8.Valid(e.key) || !utf8.Valid(e.value[8:]) {
			m.lose(fmt.Sprintf("the user %q: the record is damaged", e.key))
			return nil
		}
		count++
		u := chat.User{ID: string(e.key), Name: string(e.value[8:]), Created: int64(binary.BigEndian.Uint64(e.value)), Guest: true}
		if err := putLook(m.tx.Bucket(bucketLooks), &u); err != nil {
			return err
		}
		return m.put(bucketUsers, e.key, encodeUser(&u), 0.7)
	})
	return m.setCount(bucketUsers, count, before)
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
	var days []bucket
	m.each(bucketRefs, func(e element) error {
		if !e.bucket || len(e.value) < bucketValue {
			m.lose(fmt.Sprintf("which messages were sent already on day %x", e.key))
			return nil
		}
		days = append(days, bucketAt(e))
		return nil
	})
	for _, day := range days {
		lost := 0
		m.eachOf(day, func(e element) error {
			if len(e.key) < 8 || len(e.value) != 16 {
				lost++
				return nil
			}
			number, seq, ts := binary.BigEndian.Uint64(e.key), binary.BigEndian.Uint64(e.value), int64(binary.BigEndian.Uint64(e.value[8:]))
			sender, ref, ok := bytes.Cut(e.key[8:], []byte{0})
			if !ok || seq == 0 || seq > m.ends[number] {
				lost++
				return nil
			}
			run[m.refKey.hash(number, string(sender), string(ref))] = m.starts[number] + seq
			newest = max(newest, ts)
			if len(run) == checkpointEvery {
				return flush()
			}
			return nil
		})
		if lost > 0 {
			m.lose(fmt.Sprintf("which messages were sent already on day %x: %d records are damaged, or of messages that are not there", day.name, lost))
		}
		if err := errors.Join(m.err, flush()); err != nil {
			return err
		}
	}
	return nil
}

func (m *migration) backup() error {
	if _, ok := m.buckets[string(bucketBackup)]; !ok {
		return nil
	}
	values := make(map[string][]byte)
	m.each(bucketBackup, func(e element) error {
		values[string(e.key)] = bytes.Clone(e.value)
		return nil
	})
	return putBackup(m.tx, string(values[string(keyState)]), values[string(keyToken)])
}
