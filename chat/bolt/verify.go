package bolt

import (
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Contents is what Verify found in a file.
type Contents struct {
	Epoch         string
	KeyID         string
	TokenKey      []byte // nil: the file is not a backup
	Users         int
	Conversations int
	Messages      uint64
}

// Verify opens the store or backup in path, which nobody writes to, and reads every
// record in it: each must be whole, and each conversation must have all of its
// messages. It changes nothing.
func Verify(ctx context.Context, path string) (c Contents, err error) {
	s, err := openReadOnly(path)
	if err != nil {
		return c, err
	}
	defer s.db.Close()
	c.Epoch, c.KeyID = s.epoch, s.key
	if state, key := s.backup(); state == stateSealed {
		c.TokenKey = key
	}
	err = s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			v := verifier{ctx: ctx, tx: tx, contents: &c, tails: map[uint64]conversation{}}
			for _, step := range []func() error{v.conversations, v.messages, v.users, v.rest} {
				if err := step(); err != nil {
					return fmt.Errorf("chat/bolt: %s: %w", path, err)
				}
			}
			return nil
		})
	})
	return c, err
}

type verifier struct {
	ctx      context.Context
	tx       *bbolt.Tx
	contents *Contents
	tails    map[uint64]conversation // by the numbers of conversations
	records  int
}

// each calls f for every record of a bucket, until ctx is done.
func (v *verifier) each(b *bbolt.Bucket, f func(k, val []byte) error) error {
	return b.ForEach(func(k, val []byte) error {
		if v.records++; v.records%1024 == 0 && v.ctx.Err() != nil {
			return v.ctx.Err()
		}
		return f(k, val)
	})
}

func (v *verifier) conversations() error {
	return v.each(v.tx.Bucket(bucketConversations), func(k, val []byte) error {
		c, err := decodeConversation(val)
		if err != nil || val == nil {
			return fmt.Errorf("%w: conversation %q", errDamaged, k)
		}
		if _, twice := v.tails[c.number]; twice {
			return fmt.Errorf("%w: two conversations have number %d", errDamaged, c.number)
		}
		v.tails[c.number] = c
		v.contents.Conversations++
		return nil
	})
}

// messages checks that each conversation has seq 1 to its last, and nothing else.
func (v *verifier) messages() error {
	var number, seq uint64
	complete := func() error {
		if number != 0 && seq != v.tails[number].seq {
			return fmt.Errorf("%w: message %d of conversation %d is missing", errDamaged, seq+1, number)
		}
		return nil
	}
	found := 0 // conversations with messages
	err := v.each(v.tx.Bucket(bucketMessages), func(k, val []byte) error {
		if len(k) != 16 {
			return fmt.Errorf("%w: a message has the key %x", errDamaged, k)
		}
		if n := binary.BigEndian.Uint64(k); n != number {
			if err := complete(); err != nil {
				return err
			}
			if _, ok := v.tails[n]; !ok {
				return fmt.Errorf("%w: a message is in conversation %d, which is missing", errDamaged, n)
			}
			number, seq = n, 0
			found++
		}
		if seq++; binary.BigEndian.Uint64(k[8:]) != seq {
			return fmt.Errorf("%w: message %d of conversation %d is missing", errDamaged, seq, number)
		}
		if _, err := decodeMessage(val); err != nil {
			return fmt.Errorf("%w: message %d of conversation %d", err, seq, number)
		}
		v.contents.Messages++
		return nil
	})
	if err == nil {
		err = complete()
	}
	if err != nil {
		return err
	}
	for n, tail := range v.tails {
		if tail.seq > 0 {
			if found--; found < 0 {
				return fmt.Errorf("%w: a conversation, perhaps %d, has lost its messages", errDamaged, n)
			}
		}
	}
	return nil
}

func (v *verifier) users() error {
	return v.each(v.tx.Bucket(bucketUsers), func(k, val []byte) error {
		if _, err := decodeUser(string(k), val); err != nil {
			return fmt.Errorf("%w: user %q", err, k)
		}
		v.contents.Users++
		return nil
	})
}

// rest reads every other record: what is damaged there is found by reading it.
func (v *verifier) rest() error {
	var walk func(b *bbolt.Bucket) error
	walk = func(b *bbolt.Bucket) error {
		return v.each(b, func(k, val []byte) error {
			if val != nil {
				return nil
			}
			if sub := b.Bucket(k); sub != nil {
				return walk(sub)
			}
			return nil // an empty value
		})
	}
	return v.tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		switch string(name) {
		case string(bucketConversations), string(bucketMessages), string(bucketUsers):
			return nil
		}
		return walk(b)
	})
}
