package bolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// A message is written once, at the end of the log. Where the messages of a conversation
// are, and where it ends, is kept in memory at first, and on disk from the next checkpoint
// on: so a transaction writes a few pages, and not some for each conversation and ref. The
// changes since the last checkpoint are read from the log when the file is opened.
//
// A checkpoint is cut into pieces, each a transaction of its own, with messages between them:
//
//	some conversations   with all their changes until then; and so again and again
//	refs                 those that there were when the checkpoint began
//	                     now the checkpoint is where the log ended when it began
//	batches              what is before that is deleted, some at a time
//
// After a crash in between, the changes in the batches may be on disk already.

// checkpointEvery is about how many changes there may be since the last checkpoint. They take 60
// bytes each in memory, and 2 µs when the file is opened.
const checkpointEvery = 16384

// pieceSize is how many conversations, memberships or batches a piece handles: other work waits
// for a piece no longer than for a large batch of messages.
const pieceSize = 512

// maxExpire is how many runs of refs one checkpoint deletes.
const maxExpire = 4

// checkpoint is a checkpoint that is under way.
type checkpoint struct {
	position uint64              // of the log when it began
	names    []chat.Conversation // that are left
	indexed  bool                // all of them are written, and the refs; only batches are left

	refs      map[refHash]uint64
	newestRef int64
}

// advance moves a piece from memory to disk, if there is enough to move.
func (s *Store) advance() {
	if s.indexing == nil && s.changes >= s.checkpointAt {
		s.beginCheckpoint()
	}
	if s.indexing != nil {
		s.index(s.indexing)
	}
	if count, _ := s.members.fresh(); s.placing == nil && count >= s.membersAt {
		s.beginPlacing()
	}
	if s.placing != nil {
		s.place(s.placing)
	}
}

// advancing reports whether advance has begun something that is not finished.
func (s *Store) advancing() bool { return s.indexing != nil || s.placing != nil }

func (s *Store) beginCheckpoint() {
	names := slices.SortedFunc(maps.Keys(s.fresh), func(a, b chat.Conversation) int { return cmp.Compare(s.fresh[a].number, s.fresh[b].number) })
	s.indexing = &checkpoint{position: s.position, names: names, refs: s.refs, newestRef: s.newestRef}
	s.refs, s.newestRef = make(map[refHash]uint64), 0
}

// index does a piece of a checkpoint. If that fails, the checkpoint ends, and another one begins
// when there is more.
func (s *Store) index(c *checkpoint) {
	began := time.Now()
	defer func() { s.figures.checkpoints.Observe(time.Since(began).Seconds()) }()
	names := c.names[:min(s.pieceSize, len(c.names))]
	last := len(names) == len(c.names) && !c.indexed
	now := s.time.Now()
	past := 0
	if last {
		past = min(expired(s.runs, now), maxExpire)
	}
	var added *run
	over := false
	err := s.update(func(tx *bbolt.Tx) (err error) {
		for _, name := range names {
			if err := putPlace(tx, name, s.fresh[name]); err != nil {
				return err
			}
		}
		if last {
			if added, err = s.putRefs(tx, c, past, now); err != nil {
				return err
			}
		}
		if last || c.indexed {
			over, err = deleteUpTo(tx.Bucket(bucketBatches), c.position, s.pieceSize)
		}
		return err
	})
	if err != nil {
		s.abandonCheckpoint(c, err)
		return
	}
	s.mu.Lock()
	for _, name := range names {
		s.changes -= len(s.fresh[name].positions)
		delete(s.fresh, name)
	}
	s.mu.Unlock()
	c.names = c.names[len(names):]
	if last {
		c.indexed, c.refs = true, nil
		s.runs = slices.Clone(s.runs[past:])
		if added != nil {
			s.runs = append(s.runs, added)
		}
	}
	if over {
		s.indexing, s.checkpointAt = nil, s.every
	}
}

// abandonCheckpoint ends a checkpoint after a piece could not be written.
func (s *Store) abandonCheckpoint(c *checkpoint, err error) {
	for h, at := range c.refs {
		if s.refs[h] == 0 { // otherwise it was used again
			s.refs[h] = at
		}
	}
	s.newestRef = max(s.newestRef, c.newestRef)
	s.indexing, s.checkpointAt = nil, s.changes+s.every/8+1
	if errors.Is(err, errDamaged) {
		s.broken.CompareAndSwap(nil, &err)
	}
	s.log.Error("messages are stored, but not entered in the index, which is tried again", "error", err)
}

// putRefs writes the refs of a checkpoint, deletes the runs of old ones that have expired, and
// records the checkpoint.
func (s *Store) putRefs(tx *bbolt.Tx, c *checkpoint, past int, now int64) (added *run, err error) {
	if len(c.refs) > 0 {
		refs := make([]foundRef, 0, len(c.refs))
		for h, at := range c.refs {
			refs = append(refs, foundRef{h, at})
		}
		if added, err = putRun(tx, refs, c.newestRef, now); err != nil {
			return nil, err
		}
	}
	for _, r := range s.runs[:past] {
		if err := deleteRun(tx, r.id); err != nil {
			return nil, err
		}
	}
	return added, putMeta(tx, keyCheckpoint, numberKey(c.position))
}

// deleteUpTo deletes at most n records of a bucket whose keys are numbers up to one. over says
// that no more are left.
func deleteUpTo(b *bbolt.Bucket, last uint64, n int) (over bool, err error) {
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && len(keys) < n; k, _ = c.Next() {
		if len(k) == 8 && binary.BigEndian.Uint64(k) > last {
			break
		}
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return false, err
		}
	}
	return len(keys) < n, nil
}

// putPlace enters a conversation's fresh changes in the index.
func putPlace(tx *bbolt.Tx, name chat.Conversation, f *fresh) error {
	b, index := tx.Bucket(bucketConversations), tx.Bucket(bucketIndex)
	p, err := decodePlace([]byte(name), b.Get([]byte(name)))
	if err == nil && p.change != f.base {
		err = errDamaged
	}
	if err != nil {
		return fmt.Errorf("%w: the conversation %s", err, name)
	}
	n := p.change / blockSize
	p.conversation, p.positions = f.conversation, append(p.positions, f.positions...)
	for ; len(p.positions) >= blockSize; n++ {
		key := pairKey(p.number, n)
		if err := index.Put(key, encodeBlock(key, p.positions[:blockSize])); err != nil {
			return err
		}
		p.positions = p.positions[blockSize:]
	}
	return b.Put([]byte(name), p.encode(name))
}

func emptyBucket(tx *bbolt.Tx, name []byte) error {
	if err := tx.DeleteBucket(name); err != nil {
		return err
	}
	_, err := tx.CreateBucket(name)
	return err
}
