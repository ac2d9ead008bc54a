package bolt

import (
	"errors"
	"fmt"

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
	keyKeyID      = []byte("key")      // absent as long as nobody has said
)

// buckets are those that every store has.
var buckets = [][]byte{bucketMeta, bucketLog, bucketBatches, bucketConversations, bucketIndex, bucketSteps, bucketPeers,
	bucketUsers, bucketLooks, bucketRuns, bucketRefs}

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

// readMeta reads what a file says of itself.
func (s *Store) readMeta(tx *bbolt.Tx) error {
	switch got := formatOf(tx); got {
	case format:
	case "":
		return errors.New("it is not a chat store")
	case oldFormat:
		return errOldFormat
	default:
		return fmt.Errorf("it has format %q; this program reads formats %q and %q only", got, oldFormat, format)
	}
	for _, name := range buckets {
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

// errOldFormat is the error of what needs to be migrated first.
var errOldFormat = fmt.Errorf("it has format %q, and this program writes format %q: \"hawser serve\" migrates it when it starts", oldFormat, format)
