package bolt

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

var (
	bucketMeta          = []byte("meta")
	bucketLog           = []byte("log")
	bucketBatches       = []byte("batches")
	bucketConversations = []byte("conversations")
	bucketIndex         = []byte("index")
	bucketSteps         = []byte("steps")
	bucketPeers         = []byte("peers")
	bucketUsers         = []byte("users")

	keyFormat     = []byte("format") // the only value without a checksum
	keyEpoch      = []byte("epoch")
	keyCheckpoint = []byte("checkpoint")
	keyMigrated   = []byte("migrated") // the last position that a migration has written
	keyKeyID      = []byte("key")      // absent until it is set
)

// buckets are those that every store has. newBuckets came with format 3.
var (
	oldBuckets = [][]byte{bucketMeta, bucketLog, bucketBatches, bucketConversations, bucketIndex, bucketSteps, bucketPeers,
		bucketUsers, bucketLooks, bucketRuns, bucketRefs}
	newBuckets = [][]byte{bucketMemberships, bucketMembers, bucketJoins, bucketSessions, bucketBans}
	buckets    = slices.Concat(oldBuckets, newBuckets)
)

// bucketsOf are those that a store of a format has.
func bucketsOf(format string) [][]byte {
	if format == formerFormat {
		return oldBuckets
	}
	return buckets
}

// putCounted puts a record into a bucket whose sequence counts its records.
func putCounted(b *bbolt.Bucket, key, record []byte) error {
	if b.Get(key) == nil {
		if _, err := b.NextSequence(); err != nil {
			return err
		}
	}
	return b.Put(key, record)
}

func deleteCounted(b *bbolt.Bucket, key []byte) error {
	if b.Get(key) == nil {
		return nil
	}
	return errors.Join(b.SetSequence(b.Sequence()-1), b.Delete(key))
}

// getMeta is a value of the bucket meta; nil if it is not there.
func getMeta(tx *bbolt.Tx, key []byte) ([]byte, error) {
	record := tx.Bucket(bucketMeta).Get(key)
	if record == nil {
		return nil, nil
	}
	value, err := openRecord(bucketMeta, key, record)
	if err != nil {
		err = fmt.Errorf("%w: %q in the bucket meta", err, key)
	}
	return value, err
}

func putMeta(tx *bbolt.Tx, key, value []byte) error {
	return putSealed(tx, bucketMeta, key, value)
}

func putSealed(tx *bbolt.Tx, bucket, key, value []byte) error {
	return tx.Bucket(bucket).Put(key, sealed(bucket, key, append(newRecord(len(value)), value...)))
}

// makeBuckets makes an empty store.
func makeBuckets(tx *bbolt.Tx, epoch []byte, refs refKey) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return errors.Join(
		tx.Bucket(bucketMeta).Put(keyFormat, []byte(format)),
		putMeta(tx, keyEpoch, epoch),
		putMeta(tx, keyCheckpoint, numberKey(0)),
		putMeta(tx, keyRefKey, refs[:]),
		makeLooks(tx),
	)
}

// formatOf is the format of a file; "" if it is not a store.
func formatOf(tx *bbolt.Tx) string {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return ""
	}
	return string(meta.Get(keyFormat))
}

// readMeta reads what a file says about itself.
func (s *Store) readMeta(tx *bbolt.Tx) error {
	got := formatOf(tx)
	switch got {
	case format, formerFormat:
	case "":
		return errors.New("it is not a chat store")
	case oldFormat:
		return errOldFormat
	default:
		return fmt.Errorf("it has format %q; this program reads formats %q, %q and %q only", got, oldFormat, formerFormat, format)
	}
	for _, name := range bucketsOf(got) {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("it is damaged: it has no bucket %q", name)
		}
	}
	epoch, err := getMeta(tx, keyEpoch)
	if err != nil {
		return err
	}
	key, err := getMeta(tx, keyKeyID)
	if err != nil {
		return err
	}
	refs, err := getMeta(tx, keyRefKey)
	if err != nil {
		return err
	}
	if len(epoch) == 0 || len(refs) != len(s.refKey) {
		return fmt.Errorf("%w: the bucket meta is incomplete", errDamaged)
	}
	s.epoch, s.key = string(epoch), string(key)
	copy(s.refKey[:], refs)
	return nil
}

// convert converts a store of the previous format to the current one, in one transaction: it
// lacks buckets, and all of its users are guests. A program that does not know bans and
// registered users then refuses it.
func (s *Store) convert() error {
	former := false
	err := s.db.View(func(tx *bbolt.Tx) error { former = formatOf(tx) == formerFormat; return nil })
	if err != nil || !former {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range newBuckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keyFormat, []byte(format))
	})
	if err != nil {
		return fmt.Errorf("chat/bolt: %s: converting it from format %s to %s: %w", s.path, formerFormat, format, err)
	}
	s.log.Info("converted the chat to another format: older programs refuse it", "file", s.path, "from", formerFormat, "to", format)
	return nil
}

// errOldFormat is the error of what needs to be migrated first.
var errOldFormat = fmt.Errorf("it has format %q, and this program writes format %q: \"hawser serve\" migrates it when it starts", oldFormat, format)
