package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/hawser-ws/hawser/chat"
)

// Contents is what a file holds.
type Contents struct {
	Epoch         string
	KeyID         string
	TokenKey      []byte // nil: the file is not a backup
	Users         int
	Conversations int
	Messages      uint64 // that are whole
}

// Check reads every page and record of the store or backup in path, which must not be written
// to meanwhile, and calls lose with a description of each loss. It changes nothing, and
// terminates whatever the file contains: it trusts nothing in it, and does not use bbolt. The
// error says that nothing in the file can be read, or that the context has ended.
func Check(ctx context.Context, path string, lose func(what string)) (Contents, error) {
	c := &checker{
		ctx:     ctx,
		lose:    lose,
		places:  make(map[uint64]*checked),
		indexed: make(map[uint64]uint64),
	}
	err := ctx.Err()
	if err == nil {
		err = c.check(path)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("chat/bolt: %s: %w", path, err)
	}
	return c.contents, err
}

// checker goes through the buckets in an order in which each explains the next.
type checker struct {
	ctx      context.Context
	lose     func(string)
	pages    *pages
	format   string
	contents Contents
	buckets  map[string]bucket

	checkpoint uint64
	placed     uint64              // record of joins
	next       uint64              // record of the log that is in no batch; 0: not known
	position   uint64              // of the last record that was read
	places     map[uint64]*checked // conversations by number
	batched    map[uint64]entry    // by position: what the batches say
	indexed    map[uint64]uint64   // by conversation: how many blocks there are
	damaged    int                 // records of the log
	lost       int                 // messages, each of them reported
	peers      int
}

// checked is what the records of a conversation say about it.
type checked struct {
	place
	name      chat.Conversation
	stored    bool     // it is in bucketConversations
	change    uint64   // the last one in the log
	positions []uint64 // of the changes in the log; 0 for one that is lost
}

func (c *checker) check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if c.pages, err = openPages(f); err != nil {
		return err
	}
	if c.pages.lost {
		c.lose("one of the pages 0 and 1 is damaged: what was stored last may be lost")
	}
	c.pages.bad = func(page uint64, what string) { c.lose(fmt.Sprintf("page %d %s", page, what)) }
	c.buckets = make(map[string]bucket)
	for _, b := range c.pages.buckets() {
		c.buckets[string(b.name)] = b
	}
	if err := c.meta(); err != nil {
		return err
	}
	for _, step := range []func(){c.conversations, c.batches, c.log, c.afterBatches, c.index, c.ends, c.users, c.marks, c.refs, c.members, c.sessions, c.rest} {
		if step(); c.ctx.Err() != nil {
			return nil
		}
	}
	c.pages.freelist()
	return nil
}

// each calls f for every record of a bucket.
func (c *checker) each(name []byte, f func(key, value []byte)) {
	b, ok := c.buckets[string(name)]
	if !ok {
		c.lose(fmt.Sprintf("the bucket %q is missing", name))
		return
	}
	delete(c.buckets, string(name))
	c.pages.read(b, func(list []element) {
		if c.ctx.Err() != nil {
			return
		}
		for _, e := range list {
			if e.bucket {
				c.lose(fmt.Sprintf("the record %x of the bucket %q says that it is a bucket", e.key, name))
			}
			f(e.key, e.value)
		}
	})
}

func (c *checker) meta() error {
	values := make(map[string][]byte)
	c.each(bucketMeta, func(k, v []byte) {
		if string(k) == string(keyFormat) {
			values[string(k)] = bytes.Clone(v)
			return
		}
		value, err := openRecord(bucketMeta, k, v)
		if err != nil {
			c.lose(fmt.Sprintf("%q in the bucket meta is damaged", k))
			return
		}
		values[string(k)] = bytes.Clone(value)
	})
	c.format = string(values[string(keyFormat)])
	switch c.format {
	case format, formerFormat:
	case oldFormat:
		return errOldFormat
	case "":
		return errors.New("it is not a chat store, or where it says that it is one is damaged")
	default:
		return fmt.Errorf("it has format %q; this program checks formats %q and %q only", c.format, formerFormat, format)
	}
	for _, key := range [][]byte{keyEpoch, keyCheckpoint, keyRefKey, keyLooks} {
		if values[string(key)] == nil {
			c.lose(fmt.Sprintf("%q in the bucket meta is missing", key))
		}
	}
	c.contents.Epoch, c.contents.KeyID = string(values[string(keyEpoch)]), string(values[string(keyKeyID)])
	if b := values[string(keyCheckpoint)]; len(b) == 8 {
		c.checkpoint = binary.BigEndian.Uint64(b)
	}
	if b := values[string(keyPlaced)]; len(b) == 8 {
		c.placed = binary.BigEndian.Uint64(b)
	}
	if _, ok := c.buckets[string(bucketBackup)]; ok {
		c.each(bucketBackup, func(k, v []byte) {
			value, err := openRecord(bucketBackup, k, v)
			if err != nil {
				c.lose(fmt.Sprintf("%q of the backup is damaged", k))
			} else if string(k) == string(keyToken) {
				c.contents.TokenKey = append([]byte{}, value...)
			}
		})
	}
	return nil
}

func (c *checker) conversations() {
	b := c.buckets[string(bucketConversations)]
	c.each(bucketConversations, func(k, v []byte) {
		p, err := decodePlace(k, v)
		if err != nil || v == nil {
			c.lose(fmt.Sprintf("the conversation %s: its record is damaged", k))
			return
		}
		if other := c.places[p.number]; other != nil {
			c.lose(fmt.Sprintf("the conversations %s and %s have the same number", other.name, k))
			return
		}
		c.places[p.number] = &checked{place: p, name: chat.Conversation(k), stored: true}
	})
	c.contents.Conversations = int(b.sequence)
}

func (c *checker) users() {
	want := c.buckets[string(bucketUsers)].sequence
	c.each(bucketUsers, func(k, v []byte) {
		if _, err := decodeUser(string(k), v); err != nil {
			c.lose(fmt.Sprintf("the user %s: the record is damaged", k))
		}
		c.contents.Users++
	})
	if uint64(c.contents.Users) != want {
		c.lose(fmt.Sprintf("%d users are there, of %d", c.contents.Users, want))
	}
}

// marks checks the buckets whose keys are the whole record.
func (c *checker) marks() {
	steps := uint64(0)
	want := c.buckets[string(bucketSteps)].sequence
	c.each(bucketSteps, func(k, v []byte) {
		if steps++; checkMark(bucketSteps, k, v) != nil || len(k) != 16 {
			c.lose(fmt.Sprintf("where the clock went back: the record %x is damaged", k))
		}
	})
	if steps != want {
		c.lose(fmt.Sprintf("where the clock went back: %d records are there, of %d", steps, want))
	}
	looks := 0
	c.each(bucketLooks, func(k, v []byte) {
		if looks++; checkMark(bucketLooks, k, v) != nil {
			c.lose(fmt.Sprintf("whose name looks like another's: the record %x is damaged", k))
		}
	})
	if looks != c.contents.Users {
		c.lose(fmt.Sprintf("what the names of %d users look like; there are %d", looks, c.contents.Users))
	}
}

func (c *checker) refs() {
	left := make(map[uint64]*run)
	last, deleted := c.buckets[string(bucketRuns)].sequence, c.buckets[string(bucketRefs)].sequence
	c.each(bucketRuns, func(k, v []byte) {
		r, err := decodeRun(k, v)
		if err != nil {
			c.lose(fmt.Sprintf("which messages were sent already: run %x is damaged", k))
			return
		}
		left[r.id] = r
	})
	if uint64(len(left)) != last-deleted {
		c.lose(fmt.Sprintf("which messages were sent already: %d runs are there, of %d", len(left), last-deleted))
	}
	c.each(bucketRefs, func(k, v []byte) {
		ch, err := decodeChunk(k, v)
		if err != nil || len(k) != 8+refSize {
			c.lose(fmt.Sprintf("which messages were sent already: part %x is damaged", k))
			return
		}
		r := left[binary.BigEndian.Uint64(k)]
		if r == nil {
			c.lose(fmt.Sprintf("which messages were sent already: part %x is of no run", k))
			return
		}
		r.refs -= uint64(ch.len())
	})
	for id, r := range left {
		if r.refs != 0 {
			c.lose(fmt.Sprintf("which messages were sent already: parts of run %d are missing", id))
		}
	}
}

// rest reads what no other step has read: the pages must be whole.
func (c *checker) rest() {
	for name := range c.buckets {
		c.each([]byte(name), func(_, _ []byte) {})
	}
}
