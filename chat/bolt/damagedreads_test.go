package bolt

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// clearLeaf writes zeros over the leaf page n of a bucket.
func clearLeaf(t *testing.T, path string, name []byte, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := openPages(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range p.buckets() {
		if !bytes.Equal(b.name, name) {
			continue
		}
		root, err := p.page(b.root)
		if err != nil {
			t.Fatal(err)
		}
		leaves, err := elements(root)
		if err != nil || flagsOf(root) != flagBranch || len(leaves) <= n {
			t.Fatalf("the bucket %q has too few pages: %d, %v", name, len(leaves), err)
		}
		if _, err := f.WriteAt(make([]byte, p.size), int64(leaves[n].child)*int64(p.size)); err != nil {
			t.Fatal(err)
		}
	}
}

// A page of the log at which bbolt panics costs the messages in it and no others: a client
// that scrolls back to it, or sends one of them again, does not close the store for writing.
func TestDamagedPageOfTheLog(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Log: quiet.Log, every: 50})
	if err != nil {
		t.Fatal(err)
	}
	const count = 400
	var entries []chat.Entry
	for i := range count {
		entries = append(entries, chat.Entry{Conversation: lobby, Message: message(fmt.Sprint(i, strings.Repeat("x", 100)), fmt.Sprint("ref", i))})
	}
	if err := commit(s, entries); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	clearLeaf(t, s.path, bucketLog, 2)
	var log bytes.Buffer
	if s, err = Open(dir, Options{Log: textLog(&log)}); err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	var damaged []uint64
	for range 2 {
		page, err := s.History(bg, chat.HistoryQuery{Conversation: lobby, Limit: 1000})
		if err != nil || len(page.Damaged) < 5 || len(page.Damaged) > 100 || len(page.Messages)+len(page.Damaged) != count {
			t.Fatalf("%d messages, damaged %v, %v", len(page.Messages), page.Damaged, err)
		}
		damaged = page.Damaged
	}
	for _, seq := range damaged {
		if n := strings.Count(log.String(), fmt.Sprintf("number=%d\n", seq)); n != 1 {
			t.Errorf("message %d was logged %d times", seq, n)
		}
	}
	if s.Damaged() != uint64(len(damaged)) {
		t.Errorf("%d are counted, of %d", s.Damaged(), len(damaged))
	}
	rs, _ := results(s, []chat.Entry{
		{Conversation: lobby, Message: message("again", fmt.Sprint("ref", damaged[0]-1))},
		{Conversation: lobby, Message: message("another", "")},
	})
	if rs[0].Err == nil || rs[1].Err != nil || rs[1].Change.Seq != count+1 {
		t.Errorf("sent again: %+v\nwith another: %+v", rs[0], rs[1])
	}
	if e, err := say(s, "after"); err != nil || e.Seq != count+2 || s.Broken() != nil {
		t.Errorf("%+v, %v; broken: %v", e, err, s.Broken())
	}
}

// A damaged page that a transaction has to write closes the store for writing.
func TestDamagedPageIsWritten(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for i := range 100 {
		if _, err := say(s, fmt.Sprint(i, strings.Repeat("x", 100))); err != nil {
			t.Fatal(err)
		}
	}
	err := s.update(func(*bbolt.Tx) error { panic("page 7: invalid page type") })
	if err == nil || s.Broken() == nil || !strings.Contains(err.Error(), "closed for writing") {
		t.Errorf("%v; broken: %v", err, s.Broken())
	}
	if got := len(contents(t, s)); got != 100 {
		t.Errorf("%d messages can be read", got)
	}
}

// If the newest records cannot be read when the store is opened, everything else can be.
// What may be missing is not reported as absent, and nothing ends earlier in the same epoch.
func TestReplayFails(t *testing.T) {
	flipLast := func(tx *bbolt.Tx, bucket []byte) error {
		k, v := tx.Bucket(bucket).Cursor().Last()
		v = bytes.Clone(v)
		v[len(v)-1] ^= 1
		return tx.Bucket(bucket).Put(bytes.Clone(k), v)
	}
	for name, c := range map[string]struct {
		damage func(tx *bbolt.Tx) error
		attic  uint64 // how many messages it has; 0: it may be missing
	}{
		"the last list, and a record": {func(tx *bbolt.Tx) error {
			if err := flipLast(tx, bucketBatches); err != nil {
				return err
			}
			return flipLast(tx, bucketLog)
		}, 1},
		"the last list is missing": {func(tx *bbolt.Tx) error {
			k, _ := tx.Bucket(bucketBatches).Cursor().Last()
			return tx.Bucket(bucketBatches).Delete(bytes.Clone(k))
		}, 0},
		"the place of the checkpoint": {func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(keyCheckpoint, []byte("12345678"))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(dir, Options{Log: quiet.Log, every: 3})
			if err != nil {
				t.Fatal(err)
			}
			cellar, attic := chat.RoomConversation("cellar"), chat.RoomConversation("attic")
			for _, c := range []chat.Conversation{cellar, lobby, lobby} { // then comes a checkpoint
				if err := commit(s, []chat.Entry{{Conversation: c, Message: message("early", "")}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := commit(s, []chat.Entry{{Conversation: attic, Message: message("late", "")}, {Conversation: lobby, Message: message("late", "")}}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(bg); err != nil {
				t.Fatal(err)
			}
			if err := change(s.path, c.damage); err != nil {
				t.Fatal(err)
			}
			again := mustOpen(t, dir)
			if again.Broken() == nil || again.epoch == s.epoch {
				t.Errorf("broken: %v; epoch %s, was %s", again.Broken(), again.epoch, s.epoch)
			}
			want := 2
			tail, err := again.Tail(bg, attic)
			if c.attic > 0 {
				want++
			}
			if tail.Seq != c.attic || (err == nil) != (c.attic > 0) {
				t.Errorf("the attic, which had a message, ends at %+v, %v", tail, err)
			}
			if rooms, _, err := again.Rooms(bg, chat.RoomPlace{}, "", 10); len(rooms) != want || err != nil {
				t.Errorf("rooms: %v, %v; want %d", rooms, err, want)
			}
			for name, n := range map[chat.Conversation]int{cellar: 1, lobby: 2} {
				if page, err := again.History(bg, chat.HistoryQuery{Conversation: name, Limit: 10}); len(page.Messages) != n || page.Epoch != again.epoch || err != nil {
					t.Errorf("%s: %+v, %v; want %d messages", name, page, err, n)
				}
			}
			if _, err := say(again, "more"); err == nil {
				t.Error("something was written")
			}
			found := false
			Check(bg, filepath.Join(dir, FileName), func(string) { found = true })
			if !found {
				t.Error("a check finds nothing")
			}
		})
	}
}

// Nothing follows the highest number.
func TestReadsAfterTheEnd(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	if _, err := say(s, "1"); err != nil {
		t.Fatal(err)
	}
	for _, after := range []uint64{1, 2, math.MaxUint64 - 1, math.MaxUint64} {
		if changes, more, err := s.Changes(bg, lobby, after, 10); len(changes) > 0 || more || err != nil {
			t.Errorf("changes after %d: %v, %t, %v", after, changes, more, err)
		}
		for _, since := range []int64{0, 1} {
			q := chat.HistoryQuery{Conversation: lobby, AfterSeq: after, Since: since, Limit: 10}
			if page, err := s.History(bg, q); len(page.Messages)+len(page.Damaged) > 0 || page.More || err != nil {
				t.Errorf("%+v: %+v, %v", q, page, err)
			}
		}
	}
	if s.Damaged() > 0 {
		t.Errorf("%d damaged records", s.Damaged())
	}
}
