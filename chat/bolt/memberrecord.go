package bolt

import (
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// A membership has two records with the same contents: one by its user and one by its room.
// Changes since these were last written are in the bucket of joins, transaction by
// transaction, and in memory (members.go).
//
// The sequences of memberships and members count their records. The sequence of joins is the
// number of its last record.

var (
	bucketMemberships = []byte("memberships")
	bucketMembers     = []byte("members")
	bucketJoins       = []byte("joins")
)

// memberKey is the key of a membership by its user, or by its room.
func memberKey(of, other string) []byte {
	b := make([]byte, 0, len(of)+1+len(other))
	return append(append(append(b, of...), 0), other...)
}

// A membership's record is: since when, and the role, which is always 0 for now.
func encodeMember(bucket, key []byte, since int64) []byte {
	b := binary.AppendUvarint(newRecord(8), uint64(since))
	return sealed(bucket, key, append(b, 0))
}

func decodeMember(bucket, key, record []byte) (since int64, err error) {
	b, err := openRecord(bucket, key, record)
	if err != nil {
		return 0, err
	}
	d := decoder{b: b}
	since = int64(d.uvarint())
	d.uvarint() // the role
	return since, d.end()
}

// memberChange is a change of a membership.
type memberChange struct {
	chat.Membership
	member bool // otherwise it has ended
}

// flagMember is set for a membership that began.
const flagMember = 0x01

// encodeJoins encodes the changes of memberships in a transaction.
func encodeJoins(key []byte, changes []memberChange) []byte {
	b := newRecord(48 * len(changes))
	for _, c := range changes {
		flags := byte(0)
		if c.member {
			flags = flagMember
		}
		b = appendField(appendField(append(b, flags), c.UserID), c.Room)
		if c.member {
			b = append(binary.AppendUvarint(b, uint64(c.Since)), 0)
		}
	}
	return sealed(bucketJoins, key, b)
}

func decodeJoins(key, record []byte) (changes []memberChange, err error) {
	b, err := openRecord(bucketJoins, key, record)
	if err != nil {
		return nil, err
	}
	for d := (decoder{b: b}); len(d.b) > 0; {
		var c memberChange
		c.member = d.bytes(1)[0]&flagMember != 0
		c.UserID, c.Room = d.field(), d.field()
		if c.member {
			c.Since = int64(d.uvarint())
			d.uvarint() // the role
		}
		if d.bad {
			return nil, errDamaged
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// putMember writes one of the two records of a membership, or deletes it.
func putMember(b *bbolt.Bucket, bucket []byte, of, other string, c *memberChange) error {
	key := memberKey(of, other)
	if !c.member {
		return deleteCounted(b, key)
	}
	return putCounted(b, key, encodeMember(bucket, key, c.Since))
}
