package bolt

import (
	"bytes"
	"fmt"
	"sort"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// reader is a read transaction, and what it must not see.
type reader struct {
	tx     *bbolt.Tx
	hidden horizon // nil: it may see all
}

// view runs a read transaction. The horizon is looked at after the transaction has
// begun: whatever is behind it by then was synced, or is hidden.
func (s *Store) view(read func(*reader) error) error {
	return s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			r := &reader{tx: tx}
			if h := s.horizon.Load(); h != nil {
				r.hidden = *h
			}
			return read(r)
		})
	})
}

// conversation finds a conversation, as far as it may be seen. The transaction may be
// older than the horizon, and then sees less by itself.
func (r *reader) conversation(name chat.Conversation) (conversation, error) {
	c, err := decodeConversation(r.tx.Bucket(bucketConversations).Get([]byte(name)))
	if before, ok := r.hidden[name]; ok && c.exists() && (!before.exists() || before.Seq < c.Seq) {
		c = before
	}
	return c, err
}

// Last implements chat.Store.
func (s *Store) Last(name chat.Conversation) (tail chat.Tail, err error) {
	err = s.view(func(r *reader) error {
		c, err := r.conversation(name)
		if err == nil && !c.exists() {
			err = chat.ErrNotFound
		}
		tail = c.Tail
		return err
	})
	return tail, err
}

// Locate implements chat.Store.
func (s *Store) Locate(name chat.Conversation, id string) (seq uint64, err error) {
	err = s.view(func(r *reader) error {
		c, err := r.conversation(name)
		if err != nil {
			return err
		}
		var ok bool
		if seq, ok = parseID(id, s.info.Epoch, c.number); !ok || seq == 0 || seq > c.Seq {
			return chat.ErrNotFound
		}
		return nil
	})
	return seq, err
}

// History implements chat.Store.
func (s *Store) History(q chat.HistoryQuery) (page chat.Page, err error) {
	err = s.view(func(r *reader) error {
		c, err := r.conversation(q.Conversation)
		if err != nil {
			return err
		}
		first, last, err := r.bounds(c, &q)
		if err != nil || first > last {
			return err
		}
		if n := last - first + 1; n > uint64(q.Limit) {
			page.More = true
			if q.Newest {
				first = last - uint64(q.Limit) + 1
			} else {
				last = first + uint64(q.Limit) - 1
			}
		}
		page.Messages, err = r.messages(c.number, first, last, s.info.Epoch)
		return err
	})
	return page, err
}

// bounds are the first and last seq that a query is about; first > last if there
// are none.
func (r *reader) bounds(c conversation, q *chat.HistoryQuery) (first, last uint64, err error) {
	first, last = q.AfterSeq+1, c.Seq
	if q.BeforeSeq != 0 {
		last = min(last, q.BeforeSeq-1)
	}
	if q.Since != 0 {
		at, err := r.firstSince(c, q.Since)
		if err != nil {
			return 0, 0, err
		}
		first = max(first, at)
	}
	if q.Until != 0 {
		at, err := r.firstSince(c, q.Until)
		if err != nil {
			return 0, 0, err
		}
		last = min(last, at-1)
	}
	return first, last, nil
}

// firstSince is the seq of the first message whose server_ts is not below ts, or one
// more than the last. As server_ts never decreases, and no seq is left out, halving
// finds it.
func (r *reader) firstSince(c conversation, ts int64) (seq uint64, err error) {
	b := r.tx.Bucket(bucketMessages)
	n := sort.Search(int(c.Seq), func(i int) bool {
		at, e := recordTime(b.Get(messageKey(c.number, uint64(i)+1)))
		if e != nil {
			err = e
		}
		return at >= ts
	})
	return uint64(n) + 1, err
}

// messages reads first to last of a conversation, which must all be there.
func (r *reader) messages(number, first, last uint64, epoch string) ([]chat.Stored, error) {
	messages := make([]chat.Stored, 0, last-first+1)
	c := r.tx.Bucket(bucketMessages).Cursor()
	k, v := c.Seek(messageKey(number, first))
	for seq := first; seq <= last; seq++ {
		if !bytes.Equal(k, messageKey(number, seq)) {
			return nil, fmt.Errorf("%w: message %d of conversation %d is missing", errDamaged, seq, number)
		}
		m, err := decodeMessage(v)
		if err != nil {
			return nil, fmt.Errorf("%w: message %d of conversation %d", err, seq, number)
		}
		messages = append(messages, chat.Stored{Message: m, ID: formatID(epoch, number, seq), Seq: seq})
		k, v = c.Next()
	}
	return messages, nil
}

// Rooms implements chat.Store.
func (s *Store) Rooms(after string, limit int) (rooms []chat.RoomInfo, more bool, err error) {
	err = s.view(func(r *reader) error {
		more, err = r.list(bucketConversations, chat.RoomPrefix, after, func(name string) (bool, error) {
			c, err := r.conversation(chat.RoomConversation(name))
			if err != nil || !c.exists() {
				return true, err
			}
			if len(rooms) == limit {
				return false, nil
			}
			rooms = append(rooms, chat.RoomInfo{Name: name, Tail: c.Tail})
			return true, nil
		})
		return err
	})
	return rooms, more, err
}

// Peers implements chat.Store.
func (s *Store) Peers(user, after string, limit int) (peers []chat.PeerState, more bool, err error) {
	err = s.view(func(r *reader) error {
		more, err = r.list(bucketPeers, user+"\x00", after, func(peer string) (bool, error) {
			c, err := r.conversation(chat.PrivateConversation(user, peer))
			if err != nil || !c.exists() {
				return true, err
			}
			if len(peers) == limit {
				return false, nil
			}
			peers = append(peers, chat.PeerState{UserID: peer, Tail: c.Tail})
			return true, nil
		})
		return err
	})
	return peers, more, err
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
		ok, err := each(string(k[len(prefix):]))
		if err != nil || !ok {
			return !ok, err
		}
	}
	return false, nil
}

// User implements chat.Store.
func (s *Store) User(id string) (u chat.User, err error) {
	err = s.view(func(r *reader) error {
		b := r.tx.Bucket(bucketUsers).Get([]byte(id))
		if b == nil {
			return chat.ErrNotFound
		}
		u, err = decodeUser(id, b)
		return err
	})
	return u, err
}
