package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/enginetest"
)

var lobby = chat.RoomConversation("lobby")

var (
	bg    = context.Background()
	quiet = Options{Log: slog.New(slog.DiscardHandler)}
)

type folder struct {
	dir   string
	every int
	piece int
	store *Store
}

func (f *folder) Open(t *testing.T, c chat.Clock) chat.Engine {
	var err error
	if f.store, err = Open(f.dir, Options{Clock: c, Log: quiet.Log, every: f.every, piece: f.piece}); err != nil {
		t.Fatal(err)
	}
	f.store.db.NoSync = f.every > 0 // the syncs are examined without checkpoints
	return f.store.Parts()
}

func (f *folder) Close(t *testing.T) {
	if err := f.store.Close(bg); err != nil {
		t.Error(err)
	}
}

func (f *folder) Durable() bool { return true }

func mustOpen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(bg) })
	return s
}

func TestContract(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Place { return &folder{dir: t.TempDir()} })
}

// With a checkpoint after every few changes, in small pieces, everything works as without
// one.
func TestContractWithCheckpoints(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) enginetest.Place { return &folder{dir: t.TempDir(), every: 3, piece: 1} })
}

// results stores entries.
func results(s *Store, entries []chat.Entry) (rs []chat.Result, err error) {
	rs = make([]chat.Result, len(entries))
	s.Append(bg, entries, func(i int, r chat.Result) {
		rs[i] = r
		err = errors.Join(err, r.Err)
	})
	return rs, err
}

// commit stores entries, and forgets where.
func commit(s *Store, entries []chat.Entry) error {
	_, err := results(s, entries)
	return err
}

// say stores one message in the lobby.
func say(s *Store, content string) (chat.Change, error) {
	rs, err := results(s, []chat.Entry{{Conversation: lobby, Message: &chat.Message{
		Sender: "u_ada", SenderName: "Ada", Timestamp: "1", Content: content, Metadata: []byte("{}")}}})
	return rs[0].Change, err
}

func contents(t *testing.T, s *Store) (c []string) {
	t.Helper()
	page, err := s.History(bg, chat.HistoryQuery{Conversation: lobby, Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Messages {
		c = append(c, m.Content)
	}
	return c
}

func TestS15Lock(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir)
	_, err := open(dir, 1, quiet)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, FileName)+" is in use by another process") {
		t.Errorf("the second to open it got %v", err)
	}
}

func TestS16Format(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(*bbolt.Tx) error
	}{
		{"S16 newer", `has format "4"; this program reads formats "1", "2" and "3" only`,
			func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFormat, []byte("4")) }},
		{"S16 older", `has format "0"; this program reads formats "1", "2" and "3" only`,
			func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFormat, []byte("0")) }},
		{"not ours", "is not a chat store", func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketMeta) }},
		{"a bucket is missing", `is damaged: it has no bucket "users"`,
			func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketUsers) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir)
			if err := s.db.Update(test.change); err != nil {
				t.Fatal(err)
			}
			s.Close(bg)
			_, err := Open(dir, quiet)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Open: %v\nwant it to name the file and say %q", err, test.want)
			}
		})
	}
}

func TestNotADatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v", err)
	}
}

// A crash while the store was being made leaves a file under another name, which
// does not matter.
func TestS09CrashWhileMaking(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName+".new-crashed"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := say(mustOpen(t, dir), "hello"); err != nil {
		t.Error(err)
	}
}

// Two processes that make the store at once end up with the same one.
func TestMakingTwice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	s := mustOpen(t, dir)
	epoch := s.epoch
	s.Close(bg)
	if err := create(dir, path); err != nil {
		t.Fatal(err)
	}
	if got := mustOpen(t, dir).epoch; got != epoch {
		t.Errorf("the store was replaced: epoch %q, was %q", got, epoch)
	}
}

// While a transaction is written and not yet synced, bbolt shows it to readers; the
// store does not, before and after a checkpoint.
func TestWhatIsNotSyncedIsHidden(t *testing.T) {
	for _, every := range []int{1, checkpointEvery} {
		s, err := Open(t.TempDir(), Options{Log: quiet.Log, every: every})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := say(s, "synced"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(bg); err != nil { // the checkpoint is over
			t.Fatal(err)
		}
		s = mustOpen(t, filepath.Dir(s.path))
		private := chat.PrivateConversation("u_ada", "u_bob")
		j := &job{entries: []chat.Entry{
			{Conversation: lobby, Message: message("on its way", "")},
			{Conversation: "r:attic", Message: message("on its way", "")},
			{Conversation: private, Message: message("on its way", "")},
		}}
		j.results = make([]chat.Result, len(j.entries))
		s.writing.Lock() // the committer is idle meanwhile
		err = s.db.Update(func(tx *bbolt.Tx) error {
			w := newWriter(s, tx)
			return errors.Join(w.do(j), w.finish())
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"synced"}, contents(t, s)); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		for name, want := range map[chat.Conversation]uint64{lobby: 1, "r:attic": 0, private: 0} {
			if tail, err := s.Tail(bg, name); tail.Seq != want || tail.Change != want || err != nil {
				t.Errorf("%s ends at %+v, %v", name, tail, err)
			}
			if page, err := s.History(bg, chat.HistoryQuery{Conversation: name, Limit: 10}); len(page.Messages) != int(want) || err != nil {
				t.Errorf("%s has %v, %v", name, page, err)
			}
		}
		if _, err := s.Locate(bg, lobby, j.results[0].Change.ID); err != chat.ErrNotFound {
			t.Errorf("Locate: %v", err)
		}
		if talks, more, err := s.Talks(bg, "u_ada", 0, "", 10); len(talks) != 0 || more || err != nil {
			t.Errorf("Talks: %v, %t, %v", talks, more, err)
		}
		s.writing.Unlock()
		if err := s.Close(bg); err != nil {
			t.Error(err)
		}
	}
}

// A record cut short anywhere, with any bit flipped, too long, or under another key, is an
// error; and so is one with a good checksum whose lengths lead out of it.
func TestS04DamagedRecord(t *testing.T) {
	key := numberKey(7)
	m := *message("hello", "")
	m.Metadata = []byte(`{"a":1}`)
	e := entry{kind: kindMessage, number: 3, change: 5, seq: 5, tag: 9, serverTS: 1, ref: refHash{1}, message: m}
	whole := e.encode(key)
	want := e
	want.message.ServerTS = 1
	if got, err := decodeEntry(key, whole); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	bad := func(what string, key, record []byte) {
		t.Helper()
		if got, err := decodeEntry(key, record); err == nil {
			t.Errorf("%s was read as %+v", what, got)
		}
	}
	for i := range whole {
		bad(fmt.Sprintf("the first %d of %d bytes", i, len(whole)), key, whole[:i])
		for bit := range 8 {
			flipped := bytes.Clone(whole)
			flipped[i] ^= 1 << bit
			bad(fmt.Sprintf("bit %d of byte %d flipped", bit, i), key, flipped)
		}
	}
	bad("one byte too many", key, append(bytes.Clone(whole), 0))
	bad("another key", numberKey(8), whole)
	for i := checksumSize; i < len(whole); i++ {
		huge := append(bytes.Clone(whole[:i]), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01)
		decodeEntry(key, sealed(bucketLog, key, huge)) // does not panic
		decodePlace(key, sealed(bucketConversations, key, huge))
		decodeBlock(key, sealed(bucketIndex, key, huge))
	}
}
