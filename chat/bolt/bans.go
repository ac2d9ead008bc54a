package bolt

import (
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// Bans are in memory (local.Bans), too. A record is when somebody was banned, and why.

var bucketBans = []byte("bans")

func encodeBan(key []byte, at int64, reason string) []byte {
	return sealed(bucketBans, key, append(binary.AppendUvarint(newRecord(8+len(reason)), uint64(at)), reason...))
}

func decodeBan(key, record []byte) (reason string, err error) {
	b, err := openRecord(bucketBans, key, record)
	if err != nil {
		return "", err
	}
	d := decoder{b: b}
	d.uvarint() // when
	if d.bad || len(d.b) == 0 {
		return "", errDamaged
	}
	return string(d.b), nil
}

// Ban implements chat.Bans.
func (s *Store) Ban(ctx context.Context, userID, reason string) error {
	return s.run(ctx, &job{
		change: func(tx *bbolt.Tx) error { return s.putBan(tx, userID, reason) },
		then:   func() { s.bans.Apply(userID, reason) },
	}, 0)
}

// Banned implements chat.Bans.
func (s *Store) Banned(ctx context.Context, userID string) (reason string, err error) {
	return s.bans.Banned(ctx, userID)
}

func (s *Store) putBan(tx *bbolt.Tx, userID, reason string) error {
	b, key := tx.Bucket(bucketBans), []byte(userID)
	if reason == "" {
		return deleteCounted(b, key)
	}
	return putCounted(b, key, encodeBan(key, s.time.Now(), reason))
}

// damagedBan is why a user is banned whose ban is damaged.
const damagedBan = "the record of the ban is damaged"

// readBans reads who is banned. Whom a damaged record is about stays banned.
func (s *Store) readBans(tx *bbolt.Tx) map[string]string {
	reasons := make(map[string]string)
	b := tx.Bucket(bucketBans)
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		reason, err := decodeBan(k, v)
		if err != nil {
			s.damage.note(chat.Conversation(k), 0, fmt.Errorf("%w: the ban of %s", err, k))
			reason = damagedBan
		}
		reasons[string(k)] = reason
	}
	if uint64(len(reasons)) != b.Sequence() {
		s.damage.note(chat.Conversation(bucketBans), 0, fmt.Errorf("%w: there are %d bans of %d: somebody may be banned no longer", errDamaged, len(reasons), b.Sequence()))
	}
	return reasons
}
