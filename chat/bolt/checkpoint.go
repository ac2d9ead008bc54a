package bolt

import (
	"cmp"
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
// on: so a transaction writes a few pages, and not some for each conversation and ref. What
// came after the last checkpoint is read from the log when the file is opened.

// checkpointEvery is how many changes there may be since the last checkpoint, about. They
// take 60 bytes each in memory, and 2 µs when the file is opened.
const checkpointEvery = 16384

// maxExpire is how many runs of refs one checkpoint deletes.
const maxExpire = 4

// checkpoint writes to disk what is in memory only. If that fails, it is tried again when
// there is more.
func (s *Store) checkpoint() {
	began := time.Now()
	defer func() { s.figures.checkpoints.Observe(time.Since(began).Seconds()) }()
	names := slices.SortedFunc(maps.Keys(s.fresh), func(a, b chat.Conversation) int { return cmp.Compare(s.fresh[a].number, s.fresh[b].number) })
	refs := make([]foundRef, 0, len(s.refs))
	for h, at := range s.refs {
		refs = append(refs, foundRef{h, at})
	}
	now := s.time.Now()
	past := min(expired(s.runs, now), maxExpire)
	var added *run
	err := s.update(func(tx *bbolt.Tx) error {
		for _, name := range names {
			if err := putPlace(tx, name, s.fresh[name]); err != nil {
				return err
			}
		}
		if len(refs) > 0 {
			var err error
			if added, err = putRun(tx, refs, s.newestRef, now); err != nil {
				return err
			}
		}
		for _, r := range s.runs[:past] {
			if err := deleteRun(tx, r.id); err != nil {
				return err
			}
		}
		if err := emptyBucket(tx, bucketBatches); err != nil {
			return err
		}
		return putMeta(tx, keyCheckpoint, numberKey(s.position))
	})
	if err != nil {
		s.checkpointAt = s.changes + s.every/8 + 1
		if errors.Is(err, errDamaged) {
			s.broken.CompareAndSwap(nil, &err)
		}
		s.log.Error("messages are stored, but not entered in the index, which is tried again", "error", err)
		return
	}
	s.mu.Lock()
	s.fresh, s.changes, s.checkpointAt = make(map[chat.Conversation]*fresh), 0, s.every
	s.mu.Unlock()
	s.refs, s.newestRef = make(map[refHash]uint64), 0
	s.runs = slices.Clone(s.runs[past:])
	if added != nil {
		s.runs = append(s.runs, added)
	}
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
