package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// numberOf is the number of a conversation.
func (o *oldStore) numberOf(c chat.Conversation) uint64 {
	for _, m := range o.Said {
		if m.Conversation == c {
			return m.number(o.Epoch)
		}
	}
	return 0
}

// number is that of the message's conversation.
func (m *oldSaid) number(epoch string) (number uint64) {
	fmt.Sscanf(strings.TrimPrefix(m.ID, epoch), "-%d-", &number)
	return number
}

const garden = chat.Conversation("r:garden")

// changeRecord changes the record of the garden: number, seq and server_ts.
func changeRecord(f func(number, seq, ts *uint64)) func(tx *bbolt.Tx, number uint64) error {
	return func(tx *bbolt.Tx, _ uint64) error {
		b := tx.Bucket(bucketConversations)
		v := bytes.Clone(b.Get([]byte(garden)))
		number, seq, ts := binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:]), binary.BigEndian.Uint64(v[16:])
		f(&number, &seq, &ts)
		return b.Put([]byte(garden), binary.BigEndian.AppendUint64(pairKey(number, seq), ts))
	}
}

// changeMessage changes message 7 of the garden.
func changeMessage(f func(m *chat.Message)) func(tx *bbolt.Tx, number uint64) error {
	return func(tx *bbolt.Tx, number uint64) error {
		b := tx.Bucket(oldMessages)
		m, err := decodeOldMessage(b.Get(pairKey(number, 7)))
		if err != nil {
			return err
		}
		f(&m)
		v := numberKey(uint64(m.ServerTS))
		for _, field := range []string{m.Sender, m.SenderName, m.Timestamp, m.Content, string(m.Metadata)} {
			v = appendField(v, field)
		}
		return b.Put(pairKey(number, 7), v)
	}
}

// moveMessage puts a message of the garden under another key.
func moveMessage(from uint64, to func(number uint64) []byte) func(tx *bbolt.Tx, number uint64) error {
	return func(tx *bbolt.Tx, number uint64) error {
		b := tx.Bucket(oldMessages)
		v := bytes.Clone(b.Get(pairKey(number, from)))
		return errors.Join(b.Delete(pairKey(number, from)), b.Put(to(number), v))
	}
}

// If anything is wrong with a record of an old file, all others exist afterwards, the loss is
// reported, and the old file is kept.
func TestMigrateDamagedRecords(t *testing.T) {
	const last = 182
	for name, c := range map[string]struct {
		damage   func(tx *bbolt.Tx, number uint64) error
		lost     uint64 // messages
		unlisted bool   // the conversation is not there
		epoch    bool   // a new one begins
		says     string
	}{
		"a seq that is too low":        {changeRecord(func(_, seq, _ *uint64) { *seq /= 2 }), 0, false, false, "its record says 91, and there are 182"},
		"a seq of 0":                   {changeRecord(func(_, seq, _ *uint64) { *seq = 0 }), 0, false, false, "its record says 0"},
		"a seq that is a bit too high": {changeRecord(func(_, seq, _ *uint64) { *seq++ }), 1, false, false, "message 183 of r:garden is damaged or missing"},
		"a seq that is much too high":  {changeRecord(func(_, seq, _ *uint64) { *seq |= 1 << 24 }), 0, false, true, "and there are 182"},
		"a seq without end":            {changeRecord(func(_, seq, _ *uint64) { *seq |= 1 << 48 }), 0, false, true, "and there are 182"},
		"a number that is too high":    {changeRecord(func(number, _, _ *uint64) { *number += 256 }), 0, false, false, "the number of r:garden"},
		"the number 0":                 {changeRecord(func(number, _, _ *uint64) { *number = 0 }), 0, false, false, "the number of r:garden"},
		"the number of another":        {changeRecord(func(number, _, _ *uint64) { *number = 1 }), 0, false, false, "the number of r:garden"},
		"a number and a seq":           {changeRecord(func(number, seq, _ *uint64) { *number += 256; *seq /= 2 }), 182, true, false, "the conversation r:garden: its record is damaged"},
		"a time":                       {changeRecord(func(_, _, ts *uint64) { *ts ^= 1 << 20 }), 0, false, false, "when the last message of r:garden was stored"},
		"no record":                    {func(tx *bbolt.Tx, _ uint64) error { return tx.Bucket(bucketConversations).Delete([]byte(garden)) }, 182, true, false, "which has 182 messages"},
		"a short record": {func(tx *bbolt.Tx, _ uint64) error {
			return tx.Bucket(bucketConversations).Put([]byte(garden), []byte("x"))
		}, 182, true, false, "its record is damaged"},
		"a message of no conversation": {func(tx *bbolt.Tx, n uint64) error {
			return tx.Bucket(oldMessages).Put(pairKey(77, 1), bytes.Clone(tx.Bucket(oldMessages).Get(pairKey(n, 1))))
		}, 0, false, false, "message 1 of conversation 77"},
		"a short key":                     {func(tx *bbolt.Tx, n uint64) error { return tx.Bucket(oldMessages).Put([]byte("x"), nil) }, 0, false, false, "whose key is 78"},
		"the last key is too high":        {moveMessage(last, func(n uint64) []byte { return pairKey(n, last+64) }), 1, false, false, "under the key of message 246"},
		"the last key is far too high":    {moveMessage(last, func(n uint64) []byte { return pairKey(n, last|1<<50) }), 1, false, false, "under the key of message"},
		"a first message far after none":  {moveMessage(1, func(n uint64) []byte { return pairKey(n+1000, 1) }), 1, false, false, "message 1 of r:garden is damaged or missing"},
		"metadata that are no JSON":       {changeMessage(func(m *chat.Message) { m.Metadata = []byte("{|") }), 1, false, false, "message 7 of r:garden is damaged or missing"},
		"metadata that are no object":     {changeMessage(func(m *chat.Message) { m.Metadata = []byte("[]") }), 1, false, false, "message 7 of r:garden"},
		"no metadata":                     {changeMessage(func(m *chat.Message) { m.Metadata = nil }), 1, false, false, "message 7 of r:garden"},
		"a timestamp that is no number":   {changeMessage(func(m *chat.Message) { m.Timestamp = `"1"` }), 1, false, false, "message 7 of r:garden"},
		"no timestamp":                    {changeMessage(func(m *chat.Message) { m.Timestamp = "" }), 1, false, false, "message 7 of r:garden"},
		"a content that is no text":       {changeMessage(func(m *chat.Message) { m.Content = "\xff" }), 1, false, false, "message 7 of r:garden"},
		"a sender that is no text":        {changeMessage(func(m *chat.Message) { m.Sender = "\xff" }), 1, false, false, "message 7 of r:garden"},
		"how many conversations":          {func(tx *bbolt.Tx, _ uint64) error { return tx.Bucket(bucketConversations).SetSequence(1 << 40) }, 0, false, false, "how many conversations there are"},
		"no epoch":                        {func(tx *bbolt.Tx, _ uint64) error { return tx.Bucket(bucketMeta).Delete(keyEpoch) }, 0, false, true, "the epoch"},
		"an epoch that cannot be one":     {func(tx *bbolt.Tx, _ uint64) error { return tx.Bucket(bucketMeta).Put(keyEpoch, []byte("a b")) }, 0, false, true, "the epoch"},
		"a user":                          {func(tx *bbolt.Tx, _ uint64) error { return tx.Bucket(bucketUsers).Put([]byte("u_z"), []byte("x")) }, 0, false, false, `the user "u_z"`},
		"where the clock went back":       {func(tx *bbolt.Tx, _ uint64) error { return tx.Bucket(bucketSteps).Put([]byte("x"), nil) }, 0, false, false, "where the clock went back"},
		"a ref of a message that is none": {changeRef(func(seq *uint64) { *seq = 1 << 40 }), 0, false, false, "which messages were sent already"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := newOldStore(t, dir)
			number := o.numberOf(garden)
			path := filepath.Join(dir, FileName)
			if err := change(path, func(tx *bbolt.Tx) error { return c.damage(tx, number) }); err != nil {
				t.Fatal(err)
			}
			old, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := Open(dir, Options{Log: textLog(&log), Clock: o.clock()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(bg)
			kept := path + keptSuffix
			if got := log.String(); !strings.Contains(strings.ReplaceAll(got, `\`, ""), c.says) || !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "file="+kept) {
				t.Errorf("logged: %s\nwant %q, and that %s is kept", got, c.says, kept)
			}
			if b, err := os.ReadFile(kept); err != nil || !bytes.Equal(b, old) {
				t.Errorf("the old file is not kept: %d bytes of %d, %v", len(b), len(old), err)
			}
			if newEpoch := s.epoch != o.Epoch; newEpoch != c.epoch {
				t.Errorf("the epoch is %s; it was %s", s.epoch, o.Epoch)
			}
			o.compareContents(t, s, c.lost, c.unlisted)
			if _, err := say(s, "next"); err != nil {
				t.Errorf("nothing can be said any more: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
				t.Errorf("beside the store and the old one lies something: %q", left)
			}
		})
	}
}

// changeRef changes the seq of the first ref.
func changeRef(f func(seq *uint64)) func(tx *bbolt.Tx, number uint64) error {
	return func(tx *bbolt.Tx, _ uint64) error {
		day, _ := tx.Bucket(bucketRefs).Cursor().First()
		b := tx.Bucket(bucketRefs).Bucket(day)
		k, v := b.Cursor().First()
		seq := binary.BigEndian.Uint64(v)
		f(&seq)
		return b.Put(bytes.Clone(k), append(numberKey(seq), v[8:]...))
	}
}

// compareContents compares all messages with the old ones by conversation and seq. The given
// number of the garden's messages may be lost, or the garden itself.
func (o *oldStore) compareContents(t *testing.T, s *Store, lost uint64, unlisted bool) {
	t.Helper()
	byName := make(map[chat.Conversation]map[uint64]string)
	for _, m := range o.Said {
		if byName[m.Conversation] == nil {
			byName[m.Conversation] = make(map[uint64]string)
		}
		byName[m.Conversation][m.Seq] = m.Content
	}
	for c, want := range byName {
		page, err := s.History(bg, chat.HistoryQuery{Conversation: c, Limit: 1 << 20})
		if c == garden && unlisted {
			if err == nil {
				t.Errorf("the garden has %d messages, and no error", len(page.Messages))
			}
			continue
		}
		for _, m := range page.Messages {
			if want[m.Seq] != m.Content {
				t.Errorf("message %d of %s is %q; it was %q", m.Seq, c, m.Content, want[m.Seq])
			}
		}
		may := uint64(0)
		if c == garden {
			may = lost
		}
		// A message that is reported lost may also be one that never existed.
		if missing := uint64(len(page.Damaged)); err != nil || missing != may || uint64(len(page.Messages)) < uint64(len(want))-may {
			t.Errorf("%s has %d messages of %d and %d are damaged, %v; want %d", c, len(page.Messages), len(want), missing, err, may)
		}
	}
}

// messagePages are the pages with messages of an old file, and those above them.
func messagePages(t *testing.T, file []byte) (leaves, branches []uint64, size int) {
	t.Helper()
	p, err := openPages(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(id uint64)
	walk = func(id uint64) {
		b, err := p.page(id)
		if err != nil {
			t.Fatal(err)
		}
		if flagsOf(b) == flagLeaf {
			leaves = append(leaves, id)
			return
		}
		branches = append(branches, id)
		list, _ := elements(b)
		for _, e := range list {
			walk(e.child)
		}
	}
	for _, b := range p.buckets() {
		if string(b.name) == string(oldMessages) {
			walk(b.root)
		}
	}
	return leaves, branches, p.size
}

// migrated reads all messages of a migrated file, by the number of the conversation and the
// seq.
func migrated(t *testing.T, path string) map[[2]uint64]string {
	t.Helper()
	found := make(map[[2]uint64]string)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := openPages(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range p.buckets() {
		if string(b.name) != string(bucketLog) {
			continue
		}
		p.read(b, func(list []element) {
			for _, el := range list {
				e, err := decodeEntry(el.key, el.value)
				if err != nil {
					t.Fatal(err)
				}
				found[[2]uint64{e.number, e.seq}] = e.message.Content
			}
		})
	}
	return found
}

// Any one flipped bit in a page with messages costs at most the messages of that page, and
// may change one message: a letter of its text. Any lost page costs its messages. Each loss
// is reported.
func TestMigrateDamagedPages(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	o := newOldStore(t, dir)
	path := filepath.Join(dir, FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[[2]uint64]string)
	for _, m := range o.Said {
		want[[2]uint64{m.number(o.Epoch), m.Seq}] = m.Content
	}
	leaves, branches, size := messagePages(t, whole)
	const refused = 1 << 20 // the file may be empty
	holds := func(page uint64) int { return int(order.Uint16(whole[int(page)*size+10:])) }
	migrate := func(what string, page uint64, damage func(b []byte), most int) {
		file := bytes.Clone(whole)
		damage(file[int(page)*size : int(page+1)*size])
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		var losses []string
		err := Upgrade(bg, path, func(loss string) { losses = append(losses, loss) })
		after, _ := os.ReadFile(path)
		if same := bytes.Equal(after, file); same || err != nil { // the bit may be one of the format
			if most < refused || !same {
				t.Errorf("page %d, %s: it is the same: %t, %v", page, what, same, err)
			}
			return
		}
		found := migrated(t, path)
		lost, other := 0, 0
		for k, content := range want {
			got, ok := found[k]
			if !ok {
				lost++
			} else if got != content {
				other++
			}
		}
		if lost > most || other > 1 || len(found) > len(want) || lost > 0 && len(losses) == 0 {
			t.Errorf("page %d, %s: %d messages are lost of %d, %d are others, and there are %d; said: %q", page, what, lost, most, other, len(found), losses)
		}
	}
	for _, page := range leaves {
		migrate("zeroed", page, func(b []byte) { clear(b) }, holds(page))
		used := pageHeader + holds(page)*elementSize
		for _, bits := range []int{8 * used, 8 * size} {
			bit := r.IntN(bits)
			migrate(fmt.Sprint("bit ", bit), page, func(b []byte) { b[bit/8] ^= 1 << (bit % 8) }, holds(page))
		}
	}
	for _, page := range branches {
		migrate("zeroed", page, func(b []byte) { clear(b) }, len(want))
		for i := range holds(page) {
			// The bytes between elements do not belong to them; their keys, which they point
			// to, do.
			b := whole[int(page)*size:]
			e, err := elementAt(b[:size], i)
			if err != nil {
				t.Fatal(err)
			}
			at := bytes.Index(b[:size], e.key)
			bit := r.IntN(8 * len(e.key))
			migrate(fmt.Sprintf("key %d, bit %d", i, bit), page, func(b []byte) { b[at+bit/8] ^= 1 << (bit % 8) }, 1)
			bit = r.IntN(64)
			child := leaves[min(i, len(leaves)-1)]
			migrate(fmt.Sprintf("child %d, bit %d", i, bit), page, func(b []byte) { b[pageHeader+i*elementSize+8+bit/8] ^= 1 << (bit % 8) }, holds(child)+1)
		}
	}
	for range 20 {
		page, bit := uint64(r.IntN(len(whole)/size)), r.IntN(8*size)
		migrate(fmt.Sprint("bit ", bit), page, func(b []byte) { b[bit/8] ^= 1 << (bit % 8) }, refused)
	}
}

// If the newest transaction of an old file may be lost, a new epoch begins.
func TestMigrateLostTransaction(t *testing.T) {
	dir := t.TempDir()
	o := newOldStore(t, dir)
	path := filepath.Join(dir, FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[pageHeader+metaSize-1] ^= 1 // the checksum
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := Open(dir, Options{Log: textLog(&log), Clock: o.clock()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	if s.epoch == o.Epoch || !strings.Contains(log.String(), "what was stored last may be lost") {
		t.Errorf("the epoch is %s; it was %s; logged: %s", s.epoch, o.Epoch, log.String())
	}
}

// A migration that ends early leaves the old file, and nothing else.
func TestMigrateBrokenOff(t *testing.T) {
	dir := t.TempDir()
	newOldStore(t, dir)
	path := filepath.Join(dir, FileName)
	before, _ := os.ReadFile(path)
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if err := Upgrade(ctx, path, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("with no time: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the old file was changed")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("beside the old file lies something: %q", left)
	}
}

// An old file does not get a name that another file has.
func TestKeepOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for name, content := range map[string]string{"a": "old", "a.b": "of another", "a.b.2": "and of another"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time, it is there
		if got, err := linkFree(path, path+".b"); got != path+".b.3" || err != nil {
			t.Errorf("%s, %v", got, err)
		}
	}
	if _, err := linkFree(filepath.Join(dir, "absent"), path+".c"); err == nil {
		t.Error("an absent file is kept")
	}
}

// Time continues after a migration, even if the clock was set back a little: the newest
// message need not be the last one in the log.
func TestMigrateTime(t *testing.T) {
	dir := t.TempDir()
	o := newOldStore(t, dir)
	newest := slices.MaxFunc(o.Said, func(a, b oldSaid) int { return cmp.Compare(a.ServerTS, b.ServerTS) }).ServerTS
	err := change(filepath.Join(dir, FileName), func(tx *bbolt.Tx) error { // one that was stored while the clock was ahead
		conversations := tx.Bucket(bucketConversations)
		number, err := conversations.NextSequence()
		record := numberKey(uint64(newest + 1e9))
		message := bytes.Clone(record)
		for _, field := range []string{"u_0", "Ada", "1", "x", "{}"} {
			message = appendField(message, field)
		}
		return errors.Join(err, conversations.Put([]byte("r:zoo"), append(pairKey(number, 1), record...)), tx.Bucket(oldMessages).Put(pairKey(number, 1), message))
	})
	if err != nil {
		t.Fatal(err)
	}
	c := o.clock()
	c.Pass(-5 * time.Second)
	s, err := Open(dir, Options{Clock: c, Log: quiet.Log})
	if err != nil {
		t.Fatal(err)
	}
	if now := s.Now(); now != newest {
		t.Errorf("the time is %d; the newest message is of %d", now, newest)
	}
	m := *message("x", "")
	rs, err := results(s, []chat.Entry{{Conversation: lobby, Message: &m}})
	if err != nil || rs[0].Change.ServerTS != newest {
		t.Errorf("%+v, %v; want %d", rs, err, newest)
	}
	s.Close(bg)
	c.Pass(time.Second) // from now on, the log says it
	if s, err = Open(dir, Options{Clock: c, Log: quiet.Log}); err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	if now := s.Now(); now != newest {
		t.Errorf("then the time is %d; the newest message is of %d", now, newest)
	}
}
