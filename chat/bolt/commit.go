package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

const day = int64(24 * time.Hour / time.Millisecond)

// Commit implements chat.Store.
func (s *Store) Commit(batch []chat.Entry) error {
	var w writer
	err := s.update(func(tx *bbolt.Tx) error {
		w = writer{
			tx:      tx,
			epoch:   s.info.Epoch,
			before:  make(horizon),
			now:     make(map[chat.Conversation]conversation),
			deletes: 16 + 2*len(batch),
		}
		w.findDays(batch)
		for i := range batch {
			if err := w.add(&batch[i]); err != nil {
				return err
			}
		}
		if err := w.finish(); err != nil {
			return err
		}
		s.horizon.Store(&w.before)
		return nil
	})
	if err == nil {
		s.recent.move(w.before, w.now)
	}
	return err
}

// PutUser implements chat.Store.
func (s *Store) PutUser(u chat.User) error {
	return s.update(func(tx *bbolt.Tx) error {
		return putUser(tx, &u)
	})
}

// update runs one transaction, and closes the store for writing if it fails in a
// way that leaves in doubt what is on disk.
func (s *Store) update(change func(*bbolt.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.Broken(); err != nil {
		return err
	}
	changed := false
	err := s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			if err := change(tx); err != nil {
				return err
			}
			changed = true
			return nil
		})
	})
	switch {
	case err == nil:
		s.horizon.Store(nil)
		s.room.wrote(nil)
	case s.Broken() != nil: // it came upon damage
	case changed && !nothingWritten(err):
		broken := fmt.Errorf("chat/bolt: closed for writing, as a write failed and it is not known what is on disk: %w", err)
		s.broken.CompareAndSwap(nil, &broken)
		err = fmt.Errorf("%w: %w", chat.ErrOutcomeUnknown, broken)
	case changed:
		s.horizon.Store(nil)
		err = fmt.Errorf("chat/bolt: %w", err)
		s.room.wrote(err)
	}
	return err
}

// nothingWritten reports whether a failed transaction has certainly left the file as
// it was: there was no room for it. A failed sync is never such a case, whatever
// it says, for what it should have written may be lost or not, and the next sync
// would not tell.
func nothingWritten(err error) bool {
	if strings.HasPrefix(err.Error(), "file resize error:") {
		return true // bbolt's own, for a file that cannot grow
	}
	var path *fs.PathError
	return errors.As(err, &path) && path.Op == "write" &&
		(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EDQUOT))
}

// writer adds a batch to a transaction.
type writer struct {
	tx      *bbolt.Tx
	epoch   string
	before  horizon
	now     map[chat.Conversation]conversation // as changed
	last    int64                              // server_ts of the newest message
	days    []*bbolt.Bucket                    // the refs that may count, by day
	deletes int                                // how many expired refs may still be deleted
}

// add adds one entry and sets its results.
func (w *writer) add(e *chat.Entry) error {
	c, err := w.conversation(e.Conversation)
	if err != nil {
		return err
	}
	m := e.Message
	if m.Ref != "" {
		var seq uint64
		seq, e.ServerTS, e.Duplicate = w.findRef(c.number, m)
		if e.Duplicate {
			e.Seq, e.ID, e.Last = seq, formatID(w.epoch, c.number, seq), c.Seq
			return nil
		}
	}
	c.Seq++
	if m.ServerTS < c.ServerTS {
		if err := w.putStep(c); err != nil {
			return err
		}
	}
	c.ServerTS = m.ServerTS
	w.now[e.Conversation] = c
	w.last = m.ServerTS
	e.Seq, e.ID, e.ServerTS, e.Last = c.Seq, formatID(w.epoch, c.number, c.Seq), m.ServerTS, c.Seq
	if err := w.tx.Bucket(bucketMessages).Put(messageKey(c.number, c.Seq), encodeMessage(m)); err != nil {
		return err
	}
	if m.Ref == "" {
		return nil
	}
	return w.putRef(c, m)
}

// putStep notes that the clock went back before the last message of c.
func (w *writer) putStep(c conversation) error {
	b, err := w.tx.CreateBucketIfNotExists(bucketSteps)
	if err != nil {
		return err
	}
	return b.Put(messageKey(c.number, c.Seq), nil)
}

// conversation finds a conversation, or makes it.
func (w *writer) conversation(name chat.Conversation) (conversation, error) {
	if c, ok := w.now[name]; ok {
		return c, nil
	}
	b := w.tx.Bucket(bucketConversations)
	c, err := decodeConversation(b.Get([]byte(name)))
	if err != nil {
		return c, err
	}
	w.before[name] = c
	if !c.exists() {
		if c.number, err = b.NextSequence(); err != nil {
			return c, err
		}
		if err := w.putPeers(name); err != nil {
			return c, err
		}
	}
	w.now[name] = c
	return c, nil
}

// putPeers lets each of two people find a new private conversation.
func (w *writer) putPeers(name chat.Conversation) error {
	a, b, private := name.Users()
	if !private {
		return nil
	}
	peers := w.tx.Bucket(bucketPeers)
	if err := peers.Put([]byte(a+"\x00"+b), nil); err != nil {
		return err
	}
	return peers.Put([]byte(b+"\x00"+a), nil)
}

func refKey(number uint64, m *chat.Message) []byte {
	b := binary.BigEndian.AppendUint64(nil, number)
	b = append(b, m.Sender...)
	b = append(b, 0)
	return append(b, m.Ref...)
}

// dayKey names the bucket of the refs of one day.
func dayKey(ts int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(ts/day)) }

// maxDays is how many days of refs are looked at: yesterday, today, and those that the
// clock reached only because it was wrong. Of these there is one for each day on which it
// was, for as long as that is in the future.
const maxDays = 16

// findDays finds the buckets of refs that the messages of a batch may have used, from the
// day before on.
func (w *writer) findDays(batch []chat.Entry) {
	now := batch[0].Message.ServerTS
	for _, e := range batch {
		now = min(now, e.Message.ServerTS)
	}
	refs := w.tx.Bucket(bucketRefs)
	c := refs.Cursor()
	for k, _ := c.Seek(dayKey(max(now-day, 0))); k != nil && len(w.days) < maxDays; k, _ = c.Next() {
		w.days = append(w.days, refs.Bucket(k))
	}
}

// findRef finds the message that had m's ref before.
func (w *writer) findRef(number uint64, m *chat.Message) (seq uint64, ts int64, found bool) {
	key := refKey(number, m)
	for _, b := range w.days {
		if v := b.Get(key); len(v) == 16 {
			ts = int64(binary.BigEndian.Uint64(v[8:]))
			if m.ServerTS-ts < chat.RefLifetime.Milliseconds() {
				return binary.BigEndian.Uint64(v), ts, true
			}
		}
	}
	return 0, 0, false
}

func (w *writer) putRef(c conversation, m *chat.Message) error {
	refs := w.tx.Bucket(bucketRefs)
	b := refs.Bucket(dayKey(m.ServerTS))
	if b == nil {
		var err error
		if b, err = refs.CreateBucket(dayKey(m.ServerTS)); err != nil {
			return err
		}
		w.days = append(w.days, b)
	}
	v := binary.BigEndian.AppendUint64(nil, c.Seq)
	v = binary.BigEndian.AppendUint64(v, uint64(c.ServerTS))
	return b.Put(refKey(c.number, m), v)
}

// finish writes what the batch has changed once, however many messages it has.
func (w *writer) finish() error {
	b := w.tx.Bucket(bucketConversations)
	for name, c := range w.now {
		if c == w.before[name] {
			continue
		}
		if err := b.Put([]byte(name), c.encode()); err != nil {
			return err
		}
	}
	if w.last == 0 {
		return nil
	}
	meta := w.tx.Bucket(bucketMeta)
	if err := meta.Put(keyLast, binary.BigEndian.AppendUint64(nil, uint64(w.last))); err != nil {
		return err
	}
	return w.expireRefs()
}

// expireRefs deletes some refs of the oldest day, if that is past. More than come
// in, so that they get fewer, and a bounded number, so that no batch waits for all.
// Two days are kept in any case: should the clock be ahead by years, it is only the older
// refs that are forgotten for it.
func (w *writer) expireRefs() error {
	refs := w.tx.Bucket(bucketRefs)
	days := refs.Cursor()
	oldest, _ := days.First()
	if oldest == nil || int64(binary.BigEndian.Uint64(oldest)) >= w.last/day-1 {
		return nil
	}
	days.Next()
	if third, _ := days.Next(); third == nil {
		return nil
	}
	b := refs.Bucket(oldest)
	var expired [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && len(expired) < w.deletes; k, _ = c.Next() {
		expired = append(expired, k)
	}
	for _, k := range expired {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	if len(expired) < w.deletes {
		return refs.DeleteBucket(oldest)
	}
	return nil
}
