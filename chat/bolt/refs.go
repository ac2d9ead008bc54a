package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// Refs are found by a keyed hash of conversation, sender and ref, which leads to the
// message's position in the log. Those of the newest messages are in memory; every
// checkpoint writes them to disk as one run, which is sorted and never changed, and deleted as
// a whole when it has expired. With a single index, each message with a ref would write a page
// of its own.
//
//	runs  run       how many refs it has, the server_ts of its newest message, and when it
//	                was written
//	refs  run, hash a chunk of the run, from the ref with this hash on
//
// The sequence of the bucket runs counts the runs that were written, and that of refs those
// that were deleted. The oldest is deleted first, so the two say which ones exist.
//
// A filter in memory rules out most runs for a ref.

var (
	bucketRuns = []byte("runs")
	bucketRefs = []byte("refs")

	keyRefKey = []byte("refs") // in bucketMeta: the key of the hash
)

const (
	refSize   = 12 // bytes of the hash
	chunkSize = 100
)

type refHash [refSize]byte

// refKey keys the hash, so that no client can make two refs collide.
type refKey [16]byte

func (k *refKey) hash(number uint64, sender, ref string) (h refHash) {
	b := binary.BigEndian.AppendUint64(append(make([]byte, 0, 160), k[:]...), number)
	b = append(append(append(b, sender...), 0), ref...)
	sum := sha256.Sum256(b)
	copy(h[:], sum[:])
	return h
}

// foundRef is where the message with a ref is.
type foundRef struct {
	hash     refHash
	position uint64
}

// run is a run of refs on disk.
type run struct {
	id      uint64
	refs    uint64
	newest  int64 // server_ts of the newest message
	written int64 // by the same clock
	filter  atomic.Pointer[filter]
}

func (r *run) encode(key []byte) []byte {
	b := newRecord(20)
	for _, n := range []uint64{r.refs, uint64(r.newest), uint64(r.written)} {
		b = binary.AppendUvarint(b, n)
	}
	return sealed(bucketRuns, key, b)
}

func decodeRun(key, record []byte) (*run, error) {
	b, err := openRecord(bucketRuns, key, record)
	if err != nil {
		return nil, err
	}
	d := decoder{b: b}
	r := &run{refs: d.uvarint(), newest: int64(d.uvarint()), written: int64(d.uvarint())}
	if err := d.end(); err != nil || len(key) != 8 {
		return nil, errDamaged
	}
	r.id = binary.BigEndian.Uint64(key)
	return r, nil
}

func chunkKey(run uint64, first refHash) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+refSize), run), first[:]...)
}

// A chunk is: the first hash of the next one, and for each ref a hash and 8 bytes of position.
const chunkEntry = refSize + 8

func encodeChunk(key []byte, refs []foundRef, next refHash) []byte {
	b := append(newRecord(refSize+len(refs)*chunkEntry), next[:]...)
	for i := range refs {
		b = binary.BigEndian.AppendUint64(append(b, refs[i].hash[:]...), refs[i].position)
	}
	return sealed(bucketRefs, key, b)
}

// chunk is a chunk as it lies on disk.
type chunk struct {
	next refHash
	refs []byte
}

func decodeChunk(key, record []byte) (c chunk, err error) {
	b, err := openRecord(bucketRefs, key, record)
	if err != nil {
		return c, err
	}
	if len(b) <= refSize || (len(b)-refSize)%chunkEntry != 0 {
		return c, errDamaged
	}
	copy(c.next[:], b)
	c.refs = b[refSize:]
	return c, nil
}

func (c *chunk) len() int { return len(c.refs) / chunkEntry }

func (c *chunk) at(i int) (f foundRef) {
	b := c.refs[i*chunkEntry:]
	copy(f.hash[:], b)
	f.position = binary.BigEndian.Uint64(b[refSize:])
	return f
}

// noMore is the next hash after the last chunk: none is as high.
var noMore = refHash(bytes.Repeat([]byte{0xFF}, refSize))

// putRun writes refs as a new run, at the time now. It sorts them.
func putRun(tx *bbolt.Tx, refs []foundRef, newest, now int64) (*run, error) {
	slices.SortFunc(refs, func(a, b foundRef) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	runs, chunks := tx.Bucket(bucketRuns), tx.Bucket(bucketRefs)
	chunks.FillPercent = 1
	id, err := runs.NextSequence()
	if err != nil {
		return nil, err
	}
	r := &run{id: id, refs: uint64(len(refs)), newest: newest, written: now}
	f := newFilter(len(refs))
	first := refHash{} // so that every hash is in some chunk
	for rest := refs; len(rest) > 0; {
		n, next := min(chunkSize, len(rest)), noMore
		if n < len(rest) {
			next = rest[n].hash
		}
		key := chunkKey(id, first)
		if err := chunks.Put(key, encodeChunk(key, rest[:n], next)); err != nil {
			return nil, err
		}
		for i := range rest[:n] {
			f.add(rest[i].hash)
		}
		first, rest = next, rest[n:]
	}
	r.filter.Store(f)
	key := numberKey(id)
	return r, runs.Put(key, r.encode(key))
}

// find is the position of the message with this ref in a run; 0 if there is none.
func (r *run) find(tx *bbolt.Tx, h refHash) (position uint64, err error) {
	if f := r.filter.Load(); f != nil && !f.has(h) {
		return 0, nil
	}
	c := tx.Bucket(bucketRefs).Cursor()
	want := chunkKey(r.id, h)
	k, v := c.Seek(want)
	if !bytes.Equal(k, want) { // it is in the previous chunk
		if k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
	}
	ch, err := decodeChunk(k, v)
	// A missing chunk would be a gap between two others.
	if err != nil || len(k) != len(want) || !bytes.Equal(k[:8], want[:8]) || bytes.Compare(h[:], ch.next[:]) >= 0 {
		return 0, fmt.Errorf("%w: refs of run %d", errDamaged, r.id)
	}
	i := sort.Search(ch.len(), func(i int) bool { f := ch.at(i); return bytes.Compare(f.hash[:], h[:]) >= 0 })
	if i < ch.len() {
		if f := ch.at(i); f.hash == h {
			return f.position, nil
		}
	}
	return 0, nil
}

// makeFilter reads a run for its filter. One that is not whole gets none, so that each look-up
// finds the damage.
func (r *run) makeFilter(tx *bbolt.Tx) error {
	f, count := newFilter(int(r.refs)), uint64(0)
	prefix := numberKey(r.id)
	c := tx.Bucket(bucketRefs).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		ch, err := decodeChunk(k, v)
		if err != nil {
			return err
		}
		count += uint64(ch.len())
		for i := range ch.len() {
			f.add(ch.at(i).hash)
		}
	}
	if count != r.refs {
		return errDamaged
	}
	r.filter.Store(f)
	return nil
}

// keepRefs is the age in ms at which a run is deleted; maxStep is the most that one step from
// a run to the next adds to the age of the earlier ones.
const (
	keepRefs = int64((chat.RefLifetime + 24*time.Hour) / time.Millisecond)
	maxStep  = int64(6 * time.Hour / time.Millisecond)
)

// expired is the number of runs, from the oldest on, that no message can need any more.
//
// A clock that was ahead, and is corrected, must not have made them older than they are: after
// the correction, a message may still be sent again. So a run's age is not computed from its
// own time. It is the sum of the steps from each run to the next and to the present; each step
// counts for 6 hours at most, and for nothing if it goes back. Thus the clock may jump ahead
// four times by any amount, and refs are still kept for their lifetime. A run with times in
// the future ages like any other.
func expired(runs []*run, now int64) (n int) {
	age, next := int64(0), now
	for i, r := range slices.Backward(runs) {
		age += min(max(next-r.written, 0), maxStep)
		if since := now - r.newest; age >= keepRefs && (since >= chat.RefLifetime.Milliseconds() || since < -day) {
			return i + 1
		}
		next = r.written
	}
	return 0
}

// deleteRun deletes the oldest run.
func deleteRun(tx *bbolt.Tx, id uint64) error {
	prefix := numberKey(id)
	chunks := tx.Bucket(bucketRefs)
	var keys [][]byte
	c := chunks.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := chunks.Delete(k); err != nil {
			return err
		}
	}
	if _, err := chunks.NextSequence(); err != nil {
		return err
	}
	return tx.Bucket(bucketRuns).Delete(prefix)
}

// findRef finds the message that had a ref before, within its lifetime.
func (w *writer) findRef(h refHash) (e entry, found bool, err error) {
	look := func(position uint64) error {
		if position == 0 {
			return nil
		}
		key := numberKey(position)
		var err error
		if e, err = decodeHeadOf(key, w.log.Get(key)); err != nil {
			return err
		}
		found = w.ts-e.serverTS < chat.RefLifetime.Milliseconds()
		return nil
	}
	if err := look(w.refs[h]); found || err != nil {
		return e, found, err
	}
	if err := look(w.s.refs[h]); found || err != nil {
		return e, found, err
	}
	if c := w.s.indexing; c != nil {
		if err := look(c.refs[h]); found || err != nil {
			return e, found, err
		}
	}
	for _, r := range slices.Backward(w.s.runs) {
		if w.ts-r.newest >= chat.RefLifetime.Milliseconds() {
			continue
		}
		position, err := r.find(w.tx, h)
		if err == nil {
			err = look(position)
		}
		if found || err != nil {
			return e, found, err
		}
	}
	return e, false, nil
}

// filter is a Bloom filter of 16 bits a ref and 6 hashes: one in a thousand refs is a false
// positive.
type filter struct{ bits []uint64 }

func newFilter(refs int) *filter { return &filter{make([]uint64, refs/4+1)} }

func (f *filter) add(h refHash) {
	for i := range 6 {
		at := f.bit(h, i)
		f.bits[at/64] |= 1 << (at % 64)
	}
}

func (f *filter) has(h refHash) bool {
	for i := range 6 {
		if at := f.bit(h, i); f.bits[at/64]&(1<<(at%64)) == 0 {
			return false
		}
	}
	return true
}

// bit is one of a ref's bits.
func (f *filter) bit(h refHash, i int) uint64 {
	a, b := binary.LittleEndian.Uint64(h[:]), uint64(binary.LittleEndian.Uint32(h[8:]))
	return (a + uint64(i)*(b<<1|1)) % uint64(64*len(f.bits))
}
