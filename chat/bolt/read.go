package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// reader is a read transaction, and what it must not see.
type reader struct {
	ctx    context.Context
	tx     *bbolt.Tx
	hidden horizon // nil: it may see all
}

// view runs a read transaction. The horizon is looked at after the transaction has
// begun: whatever is behind it by then was synced, or is hidden.
func (s *Store) view(ctx context.Context, read func(*reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	return s.guard(func() error {
		defer tx.Rollback()
		r := &reader{ctx: ctx, tx: tx}
		if h := s.horizon.Load(); h != nil {
			r.hidden = *h
		}
		return read(r)
	})
}

// begin begins a read transaction. That waits while the file is mapped anew, which itself
// waits for every reader, and so it can take as long as a backup does.
func (s *Store) begin(ctx context.Context) (tx *bbolt.Tx, err error) {
	if ctx.Done() == nil {
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

// conversation finds a conversation, as far as it may be seen. The transaction may be
// older than the horizon, and then sees less by itself.
func (r *reader) conversation(name chat.Conversation) (conversation, error) {
	c, err := decodeConversation(r.tx.Bucket(bucketConversations).Get([]byte(name)))
	if before, ok := r.hidden[name]; ok && c.exists() && (!before.exists() || before.seq < c.seq) {
		c = before
	}
	return c, err
}

// Now implements chat.Log.
func (s *Store) Now() int64 { return s.time.Now() }

// Epoch implements chat.Log.
func (s *Store) Epoch(ctx context.Context) (string, error) { return s.epoch, ctx.Err() }

// Tail implements chat.Log.
func (s *Store) Tail(ctx context.Context, name chat.Conversation) (tail chat.Tail, err error) {
	err = s.view(ctx, func(r *reader) error {
		c, err := r.conversation(name)
		tail = c.tail(s.epoch)
		return err
	})
	return tail, err
}

// Changes implements chat.Log.
func (s *Store) Changes(ctx context.Context, name chat.Conversation, after uint64, limit int) (changes []chat.Change, more bool, err error) {
	page, err := s.History(ctx, chat.HistoryQuery{Conversation: name, AfterSeq: after, Limit: limit})
	for i := range page.Messages {
		m := &page.Messages[i]
		changes = append(changes, chat.Change{Number: m.Seq, Epoch: s.epoch, Seq: m.Seq, ID: m.ID, ServerTS: m.ServerTS, Message: &m.Message})
	}
	return changes, page.More, err
}

// Locate implements chat.Log.
func (s *Store) Locate(ctx context.Context, name chat.Conversation, id string) (seq uint64, err error) {
	err = s.view(ctx, func(r *reader) error {
		c, err := r.conversation(name)
		if err != nil {
			return err
		}
		var ok bool
		if seq, ok = parseID(id, s.epoch, c.number); !ok || seq == 0 || seq > c.seq {
			return chat.ErrNotFound
		}
		return nil
	})
	return seq, err
}

// History implements chat.Log.
func (s *Store) History(ctx context.Context, q chat.HistoryQuery) (page chat.Page, err error) {
	err = s.view(ctx, func(r *reader) error {
		c, err := r.conversation(q.Conversation)
		if err != nil {
			return err
		}
		spans, err := r.spans(c, &q)
		if err != nil {
			return err
		}
		page.Epoch = s.epoch
		spans, page.More = limitSpans(spans, uint64(q.Limit), q.Newest)
		for _, sp := range spans {
			page.Messages, err = r.messages(page.Messages, c.number, sp, s.epoch)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return page, err
}

// span is the messages of a conversation from first to last.
type span struct{ first, last uint64 }

// spans are the messages that a query is about. Without bounds in time they are one
// span. With such bounds there is one at most for each part of the conversation in which
// the clock did not go back.
func (r *reader) spans(c conversation, q *chat.HistoryQuery) (spans []span, err error) {
	all := span{q.AfterSeq + 1, c.seq}
	if q.BeforeSeq != 0 {
		all.last = min(all.last, q.BeforeSeq-1)
	}
	if q.Since == 0 && q.Until == 0 {
		if all.first <= all.last {
			spans = append(spans, all)
		}
		return spans, nil
	}
	for _, part := range r.parts(c.number, all) {
		if q.Since != 0 {
			if part.first, err = r.firstSince(c.number, part, q.Since); err != nil {
				return nil, err
			}
		}
		if q.Until != 0 {
			end, err := r.firstSince(c.number, part, q.Until)
			if err != nil {
				return nil, err
			}
			part.last = end - 1
		}
		if part.first <= part.last {
			spans = append(spans, part)
		}
	}
	return spans, nil
}

// parts cuts a span where the clock went back.
func (r *reader) parts(number uint64, all span) (parts []span) {
	if all.first > all.last {
		return nil
	}
	if b := r.tx.Bucket(bucketSteps); b != nil {
		c := b.Cursor()
		last := messageKey(number, all.last)
		for k, _ := c.Seek(messageKey(number, all.first+1)); k != nil && bytes.Compare(k, last) <= 0; k, _ = c.Next() {
			at := binary.BigEndian.Uint64(k[8:])
			parts = append(parts, span{all.first, at - 1})
			all.first = at
		}
	}
	return append(parts, all)
}

// firstSince is the seq of the first message of a part whose server_ts is not below ts, or
// one more than the last. As server_ts does not decrease within a part, and no seq is
// left out, halving finds it.
func (r *reader) firstSince(number uint64, part span, ts int64) (seq uint64, err error) {
	if part.first > part.last {
		return part.last + 1, nil
	}
	b := r.tx.Bucket(bucketMessages)
	n := sort.Search(int(part.last-part.first+1), func(i int) bool {
		at, e := recordTime(b.Get(messageKey(number, part.first+uint64(i))))
		if e != nil {
			err = e
		}
		return at >= ts
	})
	return part.first + uint64(n), err
}

// limitSpans leaves limit messages of spans, the first or the newest ones. more says
// that there were others.
func limitSpans(spans []span, limit uint64, newest bool) (left []span, more bool) {
	for len(spans) > 0 {
		if limit == 0 {
			return left, true
		}
		i := 0
		if newest {
			i = len(spans) - 1
		}
		sp := spans[i]
		spans = slices.Delete(spans, i, i+1)
		if n := sp.last - sp.first + 1; n > limit {
			more = true
			if newest {
				sp.first = sp.last - limit + 1
			} else {
				sp.last = sp.first + limit - 1
			}
		}
		limit -= sp.last - sp.first + 1
		if newest {
			left = slices.Insert(left, 0, sp)
		} else {
			left = append(left, sp)
		}
		if more {
			break
		}
	}
	return left, more
}

// messages appends a span of a conversation, all of which must be there.
func (r *reader) messages(messages []chat.Stored, number uint64, sp span, epoch string) ([]chat.Stored, error) {
	messages = slices.Grow(messages, int(sp.last-sp.first+1))
	c := r.tx.Bucket(bucketMessages).Cursor()
	k, v := c.Seek(messageKey(number, sp.first))
	for seq := sp.first; seq <= sp.last; seq++ {
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		if !bytes.Equal(k, messageKey(number, seq)) {
			return nil, fmt.Errorf("%w: message %d of conversation %d is missing", errDamaged, seq, number)
		}
		m, err := decodeMessage(v)
		if err != nil {
			return nil, fmt.Errorf("%w: message %d of conversation %d", err, seq, number)
		}
		messages = append(messages, chat.Stored{Message: m, ID: chat.MessageID(epoch, number, seq), Seq: seq})
		k, v = c.Next()
	}
	return messages, nil
}

// Talks implements chat.Directory.
func (s *Store) Talks(ctx context.Context, user, after string, limit int) (talks []chat.Talk, more bool, err error) {
	err = s.view(ctx, func(r *reader) error {
		more, err = r.list(bucketPeers, user+"\x00", after, func(peer string) (bool, error) {
			c, err := r.conversation(chat.PrivateConversation(user, peer))
			if err != nil || !c.exists() {
				return true, err
			}
			if len(talks) == limit {
				return false, nil
			}
			talks = append(talks, chat.Talk{UserID: peer, Seq: c.seq, ServerTS: c.serverTS})
			return true, nil
		})
		return err
	})
	return talks, more, err
}

// list calls each, in order, with the rest of every key of a bucket that begins with
// prefix, from the first after the given one on, until it returns false: then there
// is more.
func (r *reader) list(bucket []byte, prefix, after string, each func(rest string) (bool, error)) (more bool, err error) {
	c := r.tx.Bucket(bucket).Cursor()
	k, _ := c.Seek([]byte(prefix + after))
	if after != "" && string(k) == prefix+after {
		k, _ = c.Next()
	}
	for ; bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
		if err := r.ctx.Err(); err != nil {
			return false, err
		}
		ok, err := each(string(k[len(prefix):]))
		if err != nil || !ok {
			return !ok, err
		}
	}
	return false, nil
}

// User implements chat.Directory.
func (s *Store) User(ctx context.Context, id string) (u chat.User, err error) {
	err = s.view(ctx, func(r *reader) error {
		b := r.tx.Bucket(bucketUsers).Get([]byte(id))
		if b == nil {
			return chat.ErrNotFound
		}
		u, err = decodeUser(id, b)
		return err
	})
	return u, err
}
