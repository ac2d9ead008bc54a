package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// reader is a read transaction.
type reader struct {
	s   *Store
	ctx context.Context
	tx  *bbolt.Tx
	log *bbolt.Cursor // nil: not used yet
}

// view runs a read transaction about a conversation, user or, with an empty name, something
// else. A damaged page is an error of this transaction only.
func (s *Store) view(ctx context.Context, name chat.Conversation, read func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	err = s.guard(func() error {
		defer tx.Rollback()
		return read(&reader{s: s, ctx: ctx, tx: tx})
	})
	var page *pageError
	if errors.As(err, &page) {
		s.damage.note(name, 0, err)
	}
	return err
}

// begin begins a read transaction. That waits while the file is mapped anew, which itself
// waits for every reader, and so it can take as long as a backup does. Only a transaction that
// writes has the file mapped anew: while there is none, nothing is waited for.
func (s *Store) begin(ctx context.Context) (tx *bbolt.Tx, err error) {
	free := s.writing.TryRLock()
	if free {
		defer s.writing.RUnlock()
	}
	if free || ctx.Done() == nil {
		err = s.guard(func() (err error) { tx, err = s.db.Begin(false); return err })
		return tx, err
	}
	type begun struct {
		tx  *bbolt.Tx
		err error
	}
	c := make(chan begun)
	go func() {
		var b begun
		b.err = s.guard(func() (err error) { b.tx, err = s.db.Begin(false); return err })
		select {
		case c <- b:
		case <-ctx.Done():
			if b.tx != nil {
				b.tx.Rollback()
			}
		}
	}()
	select {
	case b := <-c:
		return b.tx, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// thread is a conversation as a reader sees it.
//
// Fresh changes are looked up before the transaction begins, so each change is found in at
// least one of the two places: a checkpoint takes it from memory after it is on disk. A
// transaction that is not synced yet may be visible on disk, but adds nothing: changes count
// once they are fresh, and a checkpoint writes older ones.
type thread struct {
	conversation
	name  chat.Conversation
	fresh []uint64 // positions of the last changes

	// Set by load.
	loaded bool
	stored place

	block   uint64 // number of the block that was read last, plus 1
	entries []uint64
}

// read reads a conversation.
func (s *Store) read(ctx context.Context, name chat.Conversation, f func(*reader, *thread) error) error {
	t := &thread{name: name}
	s.mu.RLock()
	if fresh := s.fresh[name]; fresh != nil {
		t.conversation, t.fresh = fresh.conversation, fresh.positions
	}
	s.mu.RUnlock()
	return s.view(ctx, name, func(r *reader) error {
		if !t.exists() {
			if err := r.load(t); err != nil {
				return err
			}
			t.conversation = t.stored.conversation
		}
		return f(r, t)
	})
}

// load reads the part of a conversation that is on disk.
func (r *reader) load(t *thread) (err error) {
	if t.loaded {
		return nil
	}
	if t.stored, err = decodePlace([]byte(t.name), r.tx.Bucket(bucketConversations).Get([]byte(t.name))); err != nil {
		r.s.damage.note(t.name, 0, err)
		return fmt.Errorf("%w: the conversation %s", err, t.name)
	}
	if !t.stored.exists() && r.s.unsure.conversations {
		return fmt.Errorf("%w: some conversations are lost, and %s may have been one of them", errDamaged, t.name)
	}
	t.loaded = true
	return nil
}

// position is where in the log a change is.
func (r *reader) position(t *thread, change uint64) (uint64, error) {
	if before := t.change - uint64(len(t.fresh)); change > before {
		return t.fresh[change-before-1], nil
	}
	if err := r.load(t); err != nil {
		return 0, err
	}
	if first := t.stored.first(); change >= first && change <= t.stored.change {
		return t.stored.positions[change-first], nil
	}
	n := (change - 1) / blockSize
	if t.block != n+1 {
		key := pairKey(t.number, n)
		entries, err := decodeBlock(key, r.tx.Bucket(bucketIndex).Get(key))
		if err != nil {
			return 0, err
		}
		t.block, t.entries = n+1, entries
	}
	return t.entries[(change-1)%blockSize], nil
}

// get reads a change. Damage is an error of this change only, even if bbolt panics at it.
func (r *reader) get(t *thread, change uint64) (e entry, err error) {
	err = r.s.guard(func() error {
		at, err := r.position(t, change)
		if err != nil {
			return err
		}
		if r.log == nil {
			r.log = r.tx.Bucket(bucketLog).Cursor()
		}
		k, v := r.log.Seek(numberKey(at))
		if e, err = decodeEntry(k, v); err != nil {
			return err
		}
		if e.kind != kindMessage || e.number != t.number || e.change != change { // also if another record was found
			return errDamaged
		}
		return nil
	})
	if err != nil {
		r.s.damage.note(t.name, change, err)
		err = fmt.Errorf("%w: message %d of %s", err, change, t.name)
	}
	return e, err
}

// Now implements chat.Log.
func (s *Store) Now() int64 { return s.time.Now() }

// Epoch implements chat.Log.
func (s *Store) Epoch(ctx context.Context) (string, error) { return s.epoch, ctx.Err() }

// Tail implements chat.Log.
func (s *Store) Tail(ctx context.Context, name chat.Conversation) (tail chat.Tail, err error) {
	c, err := s.end(ctx, name)
	return c.tail(s.epoch), err
}

// end is the end of a conversation.
func (s *Store) end(ctx context.Context, name chat.Conversation) (c conversation, err error) {
	s.mu.RLock()
	fresh := s.fresh[name]
	if fresh != nil {
		c = fresh.conversation
	}
	s.mu.RUnlock()
	if fresh != nil {
		return c, ctx.Err()
	}
	err = s.read(ctx, name, func(_ *reader, t *thread) error {
		c = t.conversation
		return nil
	})
	return c, err
}

// Changes implements chat.Log.
func (s *Store) Changes(ctx context.Context, name chat.Conversation, after uint64, limit int) (changes []chat.Change, more bool, err error) {
	err = s.read(ctx, name, func(r *reader, t *thread) error {
		for n := after; n < t.change; {
			n++
			if err := ctx.Err(); err != nil {
				return err
			}
			if more = len(changes) == limit; more {
				return nil
			}
			c := chat.Change{Number: n, Epoch: s.epoch, Damaged: true}
			if e, err := r.get(t, n); err == nil {
				c = s.change(&e)
				c.Message = &e.message
			}
			changes = append(changes, c)
		}
		return nil
	})
	return changes, more, err
}

// Locate implements chat.Log.
func (s *Store) Locate(ctx context.Context, name chat.Conversation, id string) (seq uint64, err error) {
	c, err := s.end(ctx, name)
	if err != nil {
		return 0, err
	}
	seq, ok := parseID(id, s.epoch, c.number)
	if !ok || seq == 0 || seq > c.seq {
		return 0, chat.ErrNotFound
	}
	return seq, nil
}

// Talks implements chat.Directory.
func (s *Store) Talks(ctx context.Context, user string, since int64, after string, limit int) (talks []chat.Talk, more bool, err error) {
	// The conversations are looked up afterwards: each is read as its tail is.
	var peers []string
	for end := false; !end; {
		peers = peers[:0]
		if end, err = s.peers(ctx, user, after, limit+1, &peers); err != nil {
			return nil, false, err
		}
		for _, peer := range peers {
			c, err := s.end(ctx, chat.PrivateConversation(user, peer))
			if err != nil {
				return nil, false, err
			}
			if c.seq == 0 || c.serverTS < since { // with seq 0, its first message is being stored right now
				continue
			}
			if len(talks) == limit {
				return talks, true, nil
			}
			talks = append(talks, chat.Talk{UserID: peer, Seq: c.seq, ServerTS: c.serverTS})
		}
		if len(peers) > 0 {
			after = peers[len(peers)-1]
		}
	}
	return talks, false, nil
}

// peers appends at most limit people with whom user may have a conversation, after the given
// one. end says that there are no others.
func (s *Store) peers(ctx context.Context, user, after string, limit int, peers *[]string) (end bool, err error) {
	if s.unsure.peers {
		return false, fmt.Errorf("%w: some people with whom %s talks may be lost", errDamaged, user)
	}
	prefix := []byte(user + "\x00")
	err = s.view(ctx, chat.Conversation(user), func(r *reader) error {
		c := r.tx.Bucket(bucketPeers).Cursor()
		from := append(bytes.Clone(prefix), after...)
		k, v := c.Seek(from)
		if after != "" && bytes.Equal(k, from) {
			k, v = c.Next()
		}
		for ; bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if len(*peers) == limit || ctx.Err() != nil {
				return ctx.Err()
			}
			if err := checkMark(bucketPeers, k, v); err != nil {
				r.s.damage.note(chat.Conversation(k), 0, err)
				return fmt.Errorf("%w: the people with whom %s talks", err, user)
			}
			*peers = append(*peers, string(k[len(prefix):]))
		}
		end = true
		return nil
	})
	return end, err
}
