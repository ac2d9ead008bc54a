package bolt

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// Bans are in memory (local.Bans), too. The key of a record is the ban's subject, and its content
// the ban as JSON.

var bucketBans = []byte("bans")

func encodeBan(key []byte, one *chat.Ban) []byte {
	text, err := json.Marshal(one)
	if err != nil {
		panic(err) // everything in it can be encoded
	}
	return sealed(bucketBans, key, append(newRecord(len(text)), text...))
}

func decodeBan(key, record []byte) (one chat.Ban, err error) {
	b, err := openRecord(bucketBans, key, record)
	if err != nil {
		return one, err
	}
	if json.Unmarshal(b, &one) != nil || one.Check() != nil || one.Subject() != string(key) {
		return chat.Ban{}, errDamaged
	}
	return one, nil
}

// bans is the store's chat.Bans.
type bans struct{ s *Store }

// OfUser implements chat.Bans.
func (b bans) OfUser(userID string) (chat.Ban, bool) { return b.s.bans.OfUser(userID) }

// OfAddress implements chat.Bans.
func (b bans) OfAddress(addr netip.Addr) (chat.Ban, bool) { return b.s.bans.OfAddress(addr) }

// Last implements chat.Bans.
func (b bans) Last(subject string) (chat.Ban, bool) { return b.s.bans.Last(subject) }

// List implements chat.Bans.
func (b bans) List(after string, limit int) ([]chat.Ban, bool) { return b.s.bans.List(after, limit) }

// Ban implements chat.Bans. It also removes bans that ended long ago, or any that ended if there
// is no room.
func (b bans) Ban(ctx context.Context, one chat.Ban) error {
	forget, err := b.s.bans.Admit(&one)
	if err != nil {
		return err
	}
	var forgotten []chat.Ban
	return b.s.run(ctx, &job{
		change: func(tx *bbolt.Tx) (err error) {
			if forgotten, err = forgetBans(tx, forget); err != nil {
				return err
			}
			return putBan(tx, &one)
		},
		then: func() {
			for i := range forgotten {
				b.s.bans.Forget(&forgotten[i])
			}
			b.s.bans.Apply(one)
		},
	}, 0)
}

// forgetBans deletes those of some bans that have not been replaced by others.
func forgetBans(tx *bbolt.Tx, all []chat.Ban) (forgotten []chat.Ban, err error) {
	bucket := tx.Bucket(bucketBans)
	for _, one := range all {
		key := []byte(one.Subject())
		stored := bucket.Get(key)
		if stored == nil {
			continue
		}
		if now, err := decodeBan(key, stored); err != nil || now != one {
			continue
		}
		if err := deleteCounted(bucket, key); err != nil {
			return nil, err
		}
		forgotten = append(forgotten, one)
	}
	return forgotten, nil
}

// Unban implements chat.Bans.
func (b bans) Unban(ctx context.Context, subject string) (was bool, err error) {
	err = b.s.run(ctx, &job{
		change: func(tx *bbolt.Tx) error { return deleteCounted(tx.Bucket(bucketBans), []byte(subject)) },
		then:   func() { was = b.s.bans.Remove(subject) },
	}, 0)
	return was, err
}

func putBan(tx *bbolt.Tx, one *chat.Ban) error {
	key := []byte(one.Subject())
	return putCounted(tx.Bucket(bucketBans), key, encodeBan(key, one))
}

// damagedBan is the reason that is given if the record of a ban is damaged.
const damagedBan = "the record of the ban is damaged"

// readBans reads the bans. The subject of a damaged record stays banned.
func (s *Store) readBans(tx *bbolt.Tx) (saved []chat.Ban) {
	b := tx.Bucket(bucketBans)
	c := b.Cursor()
	count := uint64(0)
	for k, v := c.First(); k != nil; k, v = c.Next() {
		count++
		one, err := decodeBan(k, v)
		if err != nil {
			s.damage.note(chat.Conversation(k), 0, fmt.Errorf("%w: the ban of %s", err, k))
			if one, err = chat.ParseBanSubject(string(k)); err != nil {
				continue
			}
			one.Reason = damagedBan
		}
		saved = append(saved, one)
	}
	if count != b.Sequence() {
		s.damage.note(chat.Conversation(bucketBans), 0, fmt.Errorf("%w: there are %d bans of %d: somebody may be banned no longer", errDamaged, count, b.Sequence()))
	}
	return saved
}
