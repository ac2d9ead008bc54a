package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// replayer reads the changes after the last checkpoint.
type replayer struct {
	s       *Store
	log     *bbolt.Bucket
	changed map[uint64]*fresh            // by number
	made    map[uint64]chat.Conversation // of these
}

// replay reads the changes after the last checkpoint, and all conversations: the rooms for
// their list, and the number of all to find out whether one is missing.
//
// If it fails, the earlier part is kept. Because conversations may have continued, or begun,
// after that, they get an epoch that no other run of this store has: clients must not
// mistake their apparent ends for the real ones.
func (s *Store) replay(tx *bbolt.Tx) error {
	r := replayer{s, tx.Bucket(bucketLog), make(map[uint64]*fresh), make(map[uint64]chat.Conversation)}
	err := s.guard(func() error { return r.readBatches(tx) })
	if err != nil {
		s.epoch, s.unsure.conversations = string(newEpoch()), true
	}
	for number, f := range r.changed {
		f.base = f.change - uint64(len(f.positions))
		if name, made := r.made[number]; made {
			s.fresh[name] = f
			s.recent.add(name, f.conversation)
		}
	}
	return errors.Join(err, s.readConversations(tx, &r))
}

// readBatches reads what was written since the checkpoint.
func (r *replayer) readBatches(tx *bbolt.Tx) error {
	s := r.s
	value, err := getMeta(tx, keyCheckpoint)
	if err != nil || len(value) != 8 {
		return fmt.Errorf("%w: the place of the last checkpoint", errDamaged)
	}
	s.position = binary.BigEndian.Uint64(value)
	c := tx.Bucket(bucketBatches).Cursor()
	for k, v := c.Seek(numberKey(s.position + 1)); k != nil; { // the earlier ones will be deleted
		if !bytes.Equal(k, numberKey(s.position+1)) {
			return fmt.Errorf("%w: what was written from record %d of the log on is missing", errDamaged, s.position+1)
		}
		batch, err := openRecord(bucketBatches, k, v)
		k, v = c.Next()
		if err == nil {
			err = r.readBatch(batch)
		} else {
			err = r.readLog(k)
		}
		if err != nil {
			return err
		}
	}
	if k, _ := r.log.Cursor().Last(); len(k) == 8 && binary.BigEndian.Uint64(k) > s.position {
		return fmt.Errorf("%w: what was written from record %d of the log on is missing", errDamaged, s.position+1)
	}
	return nil
}

// readBatch reads what a transaction has written.
func (r *replayer) readBatch(batch []byte) error {
	for d := (decoder{b: batch}); len(d.b) > 0; {
		var e entry
		if e.decodeHead(&d); d.bad {
			return fmt.Errorf("%w: what was written from record %d of the log on", errDamaged, r.s.position+1)
		}
		r.add(&e)
	}
	return nil
}

// readLog reads the same from the log itself, up to the next batch.
func (r *replayer) readLog(next []byte) error {
	c := r.log.Cursor()
	for k, v := c.Seek(numberKey(r.s.position + 1)); k != nil && (next == nil || bytes.Compare(k, next) < 0); k, v = c.Next() {
		e, err := decodeHeadOf(k, v)
		if err != nil || !bytes.Equal(k, numberKey(r.s.position+1)) {
			return fmt.Errorf("%w: record %d of the log, which is not in the index yet, and the list of what was written with it", errDamaged, r.s.position+1)
		}
		r.add(&e)
	}
	return nil
}

// add adds the next record.
func (r *replayer) add(e *entry) {
	s := r.s
	s.position++
	f := r.changed[e.number]
	if f == nil {
		f = &fresh{conversation: conversation{number: e.number}}
		r.changed[e.number] = f
	}
	if e.kind == kindConversation {
		r.made[e.number] = chat.Conversation(e.name)
		return
	}
	f.change, f.seq, f.tag, f.serverTS = e.change, e.seq, e.tag, e.serverTS
	f.positions = append(f.positions, s.position)
	s.changes++
	if e.ref != (refHash{}) {
		s.refs[e.ref] = s.position
		s.newestRef = max(s.newestRef, e.serverTS)
	}
}

// onDisk adds the changes after the last checkpoint to a conversation that is on disk. A
// later checkpoint, which was not finished, may have written some of them.
func (r *replayer) onDisk(name chat.Conversation, p *place) error {
	s := r.s
	delete(r.made, p.number)
	f := r.changed[p.number]
	if f == nil {
		return nil
	}
	if p.change > f.change && !s.unsure.conversations {
		return fmt.Errorf("%w: messages of %s are missing from the lists of what was written", errDamaged, name)
	}
	if known := min(len(f.positions), int(p.change-min(p.change, f.base))); known > 0 {
		f.base, f.positions = f.base+uint64(known), f.positions[known:]
		s.changes -= known
	}
	if p.change >= f.change {
		delete(r.changed, p.number)
		delete(s.fresh, name)
		return nil
	}
	s.fresh[name] = f
	p.conversation = f.conversation
	return nil
}

// readConversations reads those that are on disk.
func (s *Store) readConversations(tx *bbolt.Tx, r *replayer) error {
	b := tx.Bucket(bucketConversations)
	count, people := 0, 0
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		count++
		name := chat.Conversation(k)
		p, err := decodePlace(k, v)
		if v == nil { // it says that it is a bucket
			err = errDamaged
		}
		if err != nil {
			s.unsure.conversations = true // the damage may be in the name
			s.damage.note(name, 0, err)
			continue
		}
		if err := r.onDisk(name, &p); err != nil {
			return err
		}
		s.recent.add(name, p.conversation)
		people += peersOf(name)
	}
	count += len(r.made)
	for name := range maps.Values(r.made) {
		people += peersOf(name)
	}
	if want := b.Sequence(); uint64(count) != want {
		s.unsure.conversations = true
		s.damage.note("", 0, fmt.Errorf("%w: there are %d conversations of %d", errDamaged, count, want))
	}
	if len(s.fresh) != len(r.changed) && !s.unsure.conversations {
		return fmt.Errorf("%w: there are messages of a conversation that is missing", errDamaged)
	}
	s.unsure.peers = !s.whole(tx, bucketPeers, uint64(people))
	return nil
}

// unsure says which kinds of records may be missing: one that is not found may have existed.
type unsure struct {
	conversations, users, peers, looks, steps bool

	lost map[string]bool // users; nil: it is not known which
}

// user says that a user who is not found may have existed.
func (u *unsure) user(id string) bool { return u.users && (u.lost == nil || u.lost[id]) }

// peersOf is how many records of the bucket of peers a conversation has.
func peersOf(name chat.Conversation) int {
	switch a, b, private := name.Users(); {
	case !private:
		return 0
	case a == b:
		return 1
	}
	return 2
}

// whole reports whether a bucket has the given number of marks, all of them whole.
func (s *Store) whole(tx *bbolt.Tx, bucket []byte, want uint64) bool {
	count, ok := uint64(0), true
	c := tx.Bucket(bucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		count++
		if checkMark(bucket, k, v) != nil {
			ok = false
		}
	}
	if ok = ok && count == want; !ok {
		s.damage.note("", 0, fmt.Errorf("%w: the bucket %q, with %d records of %d", errDamaged, bucket, count, want))
	}
	return ok
}

// readRuns reads which runs of refs there are: all from the first that was not deleted up to
// the last that was written.
func (s *Store) readRuns(tx *bbolt.Tx) error {
	b := tx.Bucket(bucketRuns)
	c := b.Cursor()
	next := tx.Bucket(bucketRefs).Sequence() + 1
	for k, v := c.First(); k != nil; k, v = c.Next() {
		r, err := decodeRun(bytes.Clone(k), v)
		if err == nil && r.id != next {
			err = errDamaged
		}
		if err != nil {
			return fmt.Errorf("%w: run %d of refs", err, next)
		}
		s.runs = append(s.runs, r)
		next++
	}
	if next != b.Sequence()+1 {
		return fmt.Errorf("%w: run %d of refs, and those after it, are missing", errDamaged, next)
	}
	return nil
}

// readUsers finds out whether a user is missing.
func (s *Store) readUsers(tx *bbolt.Tx) error {
	b := tx.Bucket(bucketUsers)
	count := uint64(0)
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		count++
		if _, err := decodeUser(string(k), v); err != nil {
			s.unsure.users = true
			s.damage.note(chat.Conversation(k), 0, fmt.Errorf("%w: the user %s", err, k))
		}
	}
	if count != b.Sequence() {
		s.unsure.users = true
		s.damage.note("", 0, fmt.Errorf("%w: there are %d users of %d", errDamaged, count, b.Sequence()))
	}
	if hasLooks(tx) {
		s.unsure.looks = !s.whole(tx, bucketLooks, b.Sequence())
		if s.unsure.users && !s.unsure.looks {
			s.unsure.lost = lostUsers(tx)
		}
	}
	s.unsure.steps = !s.whole(tx, bucketSteps, tx.Bucket(bucketSteps).Sequence())
	return nil
}

// mend rebuilds what can be derived from other records.
func (s *Store) mend() error {
	if s.unsure.peers && !s.unsure.conversations {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			if err := emptyBucket(tx, bucketPeers); err != nil {
				return err
			}
			for name := range s.fresh {
				if err := putPeers(tx, name); err != nil {
					return err
				}
			}
			c := tx.Bucket(bucketConversations).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				if err := putPeers(tx, chat.Conversation(k)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.unsure.peers = false
	}
	if s.unsure.looks && !s.unsure.users {
		if err := s.db.Update(makeLooks); err != nil {
			return err
		}
		s.unsure.looks = false
	}
	return nil
}

// makeFilters makes the filters of runs, those of the newest first. Until a filter is ready,
// a look-up reads the run itself.
func (s *Store) makeFilters(ctx context.Context, runs []*run) {
	for _, r := range slices.Backward(runs) {
		s.view(ctx, "", func(rd *reader) error { return r.makeFilter(rd.tx) })
	}
}
