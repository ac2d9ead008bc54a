package bolt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

const day = int64(24 * time.Hour / time.Millisecond)

// writer adds jobs to a transaction. The store takes over its changes in memory when the
// transaction has succeeded: publish.
type writer struct {
	s  *Store
	tx *bbolt.Tx
	ts int64 // of every message

	log      *bbolt.Bucket
	position uint64 // of the last record
	batch    []byte // the heads of the records

	before map[chat.Conversation]conversation
	now    map[chat.Conversation]*fresh
	refs   map[refHash]uint64

	// Changes that are not urgent, and are written with it.
	members  []unsavedMember
	joins    uint64 // how many records of joins it adds
	sessions map[string]unsavedSession
}

// fresh is a conversation with changes that the index on disk does not know yet.
type fresh struct {
	conversation
	base      uint64   // the last change that the index knows
	positions []uint64 // of the others

	// For a writer only: whether its messages are kept, and the messages.
	kept bool
	said []chat.Stored
}

func newWriter(s *Store, tx *bbolt.Tx) *writer {
	w := &writer{
		s:        s,
		tx:       tx,
		ts:       s.time.Now(),
		log:      tx.Bucket(bucketLog),
		position: s.position,
		before:   make(map[chat.Conversation]conversation),
		now:      make(map[chat.Conversation]*fresh),
		refs:     make(map[refHash]uint64),
	}
	w.log.FillPercent = 1 // it grows at its end only
	return w
}

// do adds one job and sets its results. An error that concerns only one entry or change is among
// the results; an error that it returns ends the transaction.
func (w *writer) do(j *job) error {
	if j.change != nil {
		if j.err = j.change(w.tx); j.err != nil && !itsOwn(j.err) {
			return j.err
		}
	}
	for i := range j.entries {
		if err := w.add(&j.entries[i], &j.results[i]); err != nil {
			return err
		}
	}
	return nil
}

// itsOwn reports whether an error of a change concerns only that change, which then has written
// nothing.
func itsOwn(err error) bool {
	return errors.Is(err, chat.ErrNameTaken) || errors.Is(err, chat.ErrNotFound) || errors.Is(err, errDamaged)
}

// add adds one entry and sets its result. If it finds damage, that is an error of this entry
// only.
func (w *writer) add(e *chat.Entry, r *chat.Result) error {
	err := w.tryAdd(e, r)
	if errors.Is(err, errDamaged) {
		w.s.damage.note(e.Conversation, 0, err)
		r.Err, err = fmt.Errorf("%w, of %s", err, e.Conversation), nil
	}
	return err
}

func (w *writer) tryAdd(e *chat.Entry, r *chat.Result) error {
	c, err := w.conversation(e.Conversation)
	if err != nil {
		return err
	}
	m := e.Message
	var ref refHash
	if m.Ref != "" {
		ref = w.s.refKey.hash(c.number, m.Sender, m.Ref)
		var old entry
		var found bool
		err := w.s.guard(func() (err error) { old, found, err = w.findRef(ref); return err })
		if err != nil {
			return err
		}
		if found {
			r.Duplicate, r.Change = true, w.s.change(&old)
			return nil
		}
	}
	m.ServerTS = w.ts
	if m.ServerTS < c.serverTS {
		if err := w.putStep(c.number, c.seq+1); err != nil {
			return err
		}
	}
	c.seq++
	c.change++
	c.tag, c.serverTS = rand.Uint32(), w.ts
	at, err := w.put(&entry{kind: kindMessage, number: c.number, change: c.change, seq: c.seq, tag: c.tag, serverTS: w.ts, ref: ref, message: *m})
	if err != nil {
		return err
	}
	c.positions = append(c.positions, at)
	if m.Ref != "" {
		w.refs[ref] = at
	}
	id := chat.MessageID(w.s.epoch, c.number, c.seq)
	if c.kept {
		c.said = append(c.said, stored(id, c.seq, m))
	}
	r.Change = chat.Change{Number: c.change, Tag: c.tag, Epoch: w.s.epoch, Seq: c.seq, ID: id, ServerTS: w.ts, Message: m}
	return nil
}

// change returns a record of the log as a change, without its message.
func (s *Store) change(e *entry) chat.Change {
	return chat.Change{Number: e.change, Tag: e.tag, Epoch: s.epoch, Seq: e.seq, ID: chat.MessageID(s.epoch, e.number, e.seq), ServerTS: e.serverTS}
}

// put adds a record to the log.
func (w *writer) put(e *entry) (position uint64, err error) {
	w.position++
	w.batch = e.appendHead(w.batch)
	key := numberKey(w.position)
	return w.position, w.log.Put(key, e.encode(key))
}

// finish writes the last records of a transaction.
func (w *writer) finish() error {
	if err := w.putBatch(); err != nil {
		return err
	}
	return w.putJoins()
}

// putBatch writes once more where the records belong. So if a record is damaged before it is in
// the index, it is known to be missing, and from which conversation.
func (w *writer) putBatch() error {
	if len(w.batch) == 0 {
		return nil
	}
	b := w.tx.Bucket(bucketBatches)
	b.FillPercent = 1
	key := numberKey(w.s.position + 1)
	return b.Put(key, sealed(bucketBatches, key, append(newRecord(len(w.batch)), w.batch...)))
}

// putStep notes that the clock went back before a message.
func (w *writer) putStep(number, seq uint64) error {
	key, b := pairKey(number, seq), w.tx.Bucket(bucketSteps)
	if _, err := b.NextSequence(); err != nil { // how many there are
		return err
	}
	return b.Put(key, mark(bucketSteps, key))
}

// conversation finds a conversation, or makes it.
func (w *writer) conversation(name chat.Conversation) (*fresh, error) {
	if c := w.now[name]; c != nil {
		return c, nil
	}
	c := &fresh{kept: w.s.latest.has(name)}
	if f := w.s.fresh[name]; f != nil { // the committer alone changes it
		c.conversation = f.conversation
	} else {
		p, err := decodePlace([]byte(name), w.tx.Bucket(bucketConversations).Get([]byte(name)))
		if err != nil {
			return nil, err
		}
		if !p.exists() && w.s.unsure.conversations {
			return nil, fmt.Errorf("%w: some conversations are lost, and this may have been one of them", errDamaged)
		}
		c.conversation = p.conversation
	}
	c.base = c.change
	w.before[name] = c.conversation
	if !c.exists() {
		if err := w.make(name, c); err != nil {
			return nil, err
		}
	}
	w.now[name] = c
	return c, nil
}

// make makes a conversation. If it is private, both people can find it from then on.
func (w *writer) make(name chat.Conversation, c *fresh) (err error) {
	if c.number, err = w.tx.Bucket(bucketConversations).NextSequence(); err != nil {
		return err
	}
	if _, err := w.put(&entry{kind: kindConversation, number: c.number, name: string(name)}); err != nil {
		return err
	}
	return putPeers(w.tx, name)
}

func putPeers(tx *bbolt.Tx, name chat.Conversation) error {
	a, b, private := name.Users()
	if !private {
		return nil
	}
	peers := tx.Bucket(bucketPeers)
	for _, key := range []string{a + "\x00" + b, b + "\x00" + a} {
		if err := peers.Put([]byte(key), mark(bucketPeers, []byte(key))); err != nil {
			return err
		}
	}
	return nil
}

// publish takes over the changes of a transaction, now that it is durable.
func (s *Store) publish(w *writer) {
	s.mu.Lock()
	for name, c := range w.now {
		if f := s.fresh[name]; f != nil {
			f.conversation = c.conversation
			f.positions = append(f.positions, c.positions...)
		} else {
			s.fresh[name] = &fresh{conversation: c.conversation, base: c.base, positions: c.positions}
		}
		s.changes += len(c.positions)
	}
	s.latest.publish(w.now) // before the new ends are visible
	s.mu.Unlock()
	for h, at := range w.refs {
		s.refs[h] = at
		s.newestRef = max(s.newestRef, w.ts)
	}
	s.position = w.position
	s.joins += w.joins
	s.recent.move(w.before, w.now)
}
