package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// truth is what was stored.
type truth struct {
	epoch string
	said  map[chat.Conversation][]chat.Stored
	refs  map[chat.Conversation][]string // by seq - 1
	users []chat.User
	talks int // of u_ada
}

// damagedStore makes a store with more than one page in most buckets.
func damagedStore(t *testing.T, dir string, r *rand.Rand) *truth {
	s, err := Open(dir, Options{Log: quiet.Log, every: 150})
	if err != nil {
		t.Fatal(err)
	}
	s.db.NoSync = true
	tr := &truth{epoch: s.epoch, said: make(map[chat.Conversation][]chat.Stored), refs: make(map[chat.Conversation][]string)}
	names := []chat.Conversation{lobby, "r:attic", "r:cellar", chat.PrivateConversation("u_ada", "u_bob"), chat.PrivateConversation("u_ada", "u_eve")}
	for i := range 80 {
		names = append(names, chat.RoomConversation(fmt.Sprintf("room-with-a-long-name-of-its-own-%d", i)))
		u := chat.User{ID: fmt.Sprintf("u_%016d", i), Name: fmt.Sprintf("Somebody %d", i), Created: int64(i)}
		if err := s.PutUser(bg, u); err != nil {
			t.Fatal(err)
		}
		tr.users = append(tr.users, u)
	}
	tr.talks = 2
	for batch := range 45 {
		var entries []chat.Entry
		for i := range 10 {
			c := names[r.IntN(5)]
			if batch < len(names)/10+1 {
				c = names[(batch*10+i)%len(names)]
			}
			m := message(fmt.Sprintf("%d.%d %s", batch, i, strings.Repeat("x", r.IntN(300))), fmt.Sprint(batch, ".", i))
			if r.IntN(3) == 0 {
				m.Metadata = []byte(`{"a": [1, 2, 3]}`)
			}
			entries = append(entries, chat.Entry{Conversation: c, Message: m})
		}
		rs, err := results(s, entries)
		if err != nil {
			t.Fatal(err)
		}
		for i, res := range rs {
			c := entries[i].Conversation
			m := *res.Change.Message
			tr.refs[c] = append(tr.refs[c], m.Ref)
			m.Ref = ""
			tr.said[c] = append(tr.said[c], chat.Stored{Message: m, ID: res.Change.ID, Seq: res.Change.Seq})
		}
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	return tr
}

// S02: each page of a store is damaged in turn, in several ways. What is read afterwards is
// what was stored, or is said to be missing; nothing hangs, and nobody's request ends the
// process. What the engine comes upon, a check finds too.
func TestS02DamagedPages(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	if v := os.Getenv("SEED"); v != "" {
		fmt.Sscan(v, &seed)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	tr := damagedStore(t, dir, r)
	whole, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	whole = bytes.TrimRight(whole, "\x00") // never written
	whole = append(whole, make([]byte, size-len(whole)%size)...)
	count := make(map[string]int)
	sub := t.TempDir()
	path := filepath.Join(sub, FileName)
	for at := 0; at < len(whole); at += size {
		for _, kind := range slices.Sorted(maps.Keys(damages)) {
			damaged := bytes.Clone(whole)
			damages[kind](r, damaged[at:at+size])
			if bytes.Equal(damaged, whole) {
				continue
			}
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			over := make(chan string)
			go func() { over <- useDamaged(t, fmt.Sprintf("page %d, %s", at/size, kind), sub, tr) }()
			select {
			case what := <-over:
				count[what]++
			case <-time.After(time.Minute):
				stacks := make([]byte, 1<<20)
				t.Fatalf("page %d, %s: it hangs\n%s", at/size, kind, stacks[:runtime.Stack(stacks, true)])
			}
		}
	}
	t.Log(count)
	if count["refused"] == 0 || count["found"] == 0 {
		t.Error("the test damaged nothing that matters")
	}
}

var damages = map[string]func(r *rand.Rand, page []byte){
	"zeros": func(_ *rand.Rand, p []byte) { clear(p) },
	"0xFF":  func(_ *rand.Rand, p []byte) { copy(p, bytes.Repeat([]byte{0xFF}, len(p))) },
	"random": func(r *rand.Rand, p []byte) {
		for i := range p {
			p[i] = byte(r.Uint32())
		}
	},
	"a bit":                 func(r *rand.Rand, p []byte) { p[r.IntN(len(p))] ^= 1 << r.IntN(8) },
	"a bit of the first 64": func(r *rand.Rand, p []byte) { p[r.IntN(64)] ^= 1 << r.IntN(8) },
	"half of it zeros":      func(_ *rand.Rand, p []byte) { clear(p[len(p)/2:]) },
}

// useDamaged reads and writes all that there is in a damaged store, and compares it with the
// truth.
func useDamaged(t *testing.T, what, dir string, tr *truth) string {
	losses := 0
	_, checkErr := Check(bg, filepath.Join(dir, FileName), func(string) { losses++ })
	s, err := Open(dir, quiet)
	if err != nil {
		if !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the error does not name the file: %v", what, err)
		}
		if losses == 0 && checkErr == nil {
			t.Errorf("%s: a check finds nothing, and it cannot be opened: %v", what, err)
		}
		return "refused"
	}
	defer s.Close(bg)
	s.db.NoSync = true
	u := damagedUse{T: t, s: s, what: what, truth: tr}
	for c := range tr.said {
		u.read(c)
	}
	u.readUsers()
	u.sendAgain()
	if len(u.missed) == 0 && s.epoch == tr.epoch && s.Broken() == nil {
		return "harmless"
	}
	if losses == 0 && checkErr == nil {
		u.wrong("a check finds nothing; epoch %s for %s, broken: %v, missed: %.3q", s.epoch, tr.epoch, s.Broken(), u.missed)
	}
	return "found"
}

// damagedUse is the use of a damaged store.
type damagedUse struct {
	*testing.T
	*truth
	s      *Store
	what   string
	missed []string // what the store says that it does not have
}

func (u *damagedUse) wrong(format string, args ...any) {
	u.Helper()
	u.Errorf(u.what+": "+format, args...)
}

func (u *damagedUse) miss(format string, args ...any) {
	u.missed = append(u.missed, fmt.Sprintf(format, args...))
}

// noticed says that the operator is told.
func (u *damagedUse) noticed() bool {
	return u.s.Damaged() > 0 || u.s.Broken() != nil || u.s.epoch != u.epoch
}

// read compares a conversation with what was said in it.
func (u *damagedUse) read(c chat.Conversation) {
	said := u.said[c]
	page, err := u.s.History(bg, chat.HistoryQuery{Conversation: c, Limit: 1 << 20})
	if err != nil {
		u.miss("%s: %v", c, err)
		return
	}
	there := make(map[uint64]bool)
	for _, m := range page.Messages {
		there[m.Seq] = true
		if m.Seq == 0 || m.Seq > uint64(len(said)) {
			u.wrong("%s has message %d of %d", c, m.Seq, len(said))
			continue
		}
		if u.s.epoch != u.epoch { // begun anew: ids are others
			m.ID = said[m.Seq-1].ID
		}
		if !reflect.DeepEqual(m, said[m.Seq-1]) {
			u.wrong("message %d of %s became %+v", m.Seq, c, m)
		}
	}
	for _, seq := range page.Damaged {
		there[seq] = true
	}
	if len(page.Messages) < len(said) {
		u.miss("%s: %d messages", c, len(said)-len(page.Messages))
		if !u.noticed() || len(there) != len(said) && u.s.Broken() == nil && u.s.epoch == u.epoch {
			u.wrong("%s has %d of %d messages, and nobody says so", c, len(there), len(said))
		}
	}
}

func (u *damagedUse) readUsers() {
	for _, want := range u.users {
		got, err := u.s.User(bg, want.ID)
		if err == nil && got != want {
			u.wrong("%+v became %+v", want, got)
		}
		if err != nil {
			u.miss("user %s: %v", want.ID, err)
			if !u.noticed() {
				u.wrong("user %s: %v", want.ID, err)
			}
		}
	}
	if talks, _, err := u.s.Talks(bg, "u_ada", "", 10); err != nil || len(talks) != u.talks {
		u.miss("talks: %v", err)
		if !u.noticed() {
			u.wrong("talks: %v, %v", talks, err)
		}
	}
	if err := u.s.PutUser(bg, chat.User{ID: "u_new", Name: "Some6ody 7"}); err == nil && len(u.missed) == 0 {
		if _, err := u.s.User(bg, "u_new"); err != nil {
			u.wrong("the new user: %v", err)
		}
	} else if err != nil {
		u.miss("PutUser: %v", err)
	}
}

// sendAgain sends every message again: none is stored twice.
func (u *damagedUse) sendAgain() {
	var entries []chat.Entry
	var seqs []uint64
	for c, refs := range u.refs {
		for i, ref := range refs {
			entries = append(entries, chat.Entry{Conversation: c, Message: message("again", ref)})
			seqs = append(seqs, uint64(i)+1)
		}
	}
	u.s.Append(bg, entries, func(i int, r chat.Result) {
		if r.Err != nil {
			u.miss("ref %s: %v", entries[i].Message.Ref, r.Err)
		} else if (!r.Duplicate || r.Change.Seq != seqs[i]) && u.s.epoch == u.epoch {
			u.wrong("ref %s of %s was message %d, and now is %d (duplicate: %t)", entries[i].Message.Ref, entries[i].Conversation, seqs[i], r.Change.Seq, r.Duplicate)
		}
	})
}

// Each kind of record that is damaged or missing is found by a check.
func TestCheckFindsDamage(t *testing.T) {
	del := func(bucket, key []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete(key) }
	}
	put := func(bucket, key, value []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) }
	}
	flip := func(bucket []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			k, v := tx.Bucket(bucket).Cursor().First()
			v = bytes.Clone(v)
			v[len(v)-1] ^= 1
			return tx.Bucket(bucket).Put(bytes.Clone(k), v)
		}
	}
	e := entry{kind: kindMessage, number: 9, change: 1, seq: 1, message: *message("x", "")}
	for name, c := range map[string]struct {
		damage func(tx *bbolt.Tx) error
		want   string
	}{
		"a message is missing":              {del(bucketLog, numberKey(3)), "message 2 of r:lobby is damaged or missing"},
		"a message is damaged":              {put(bucketLog, numberKey(3), []byte("12345678")), "message 2 of r:lobby is damaged or missing"},
		"the last message is missing":       {del(bucketLog, numberKey(6)), "message 3 of r:lobby is damaged or missing"},
		"a message of no conversation":      {put(bucketLog, numberKey(99), e.encode(numberKey(99))), "conversation 9, which is missing"},
		"a message under another's key":     {copyTo(bucketLog, numberKey(2), numberKey(3)), "message 2 of r:lobby"},
		"a key":                             {put(bucketLog, []byte("x"), nil), "has the key 78"},
		"a list of what was written":        {flip(bucketBatches), "the list of it is damaged"},
		"a user":                            {flip(bucketUsers), "the user u_ada"},
		"a user is missing":                 {del(bucketUsers, []byte("u_ada")), "1 users are there, of 2"},
		"a look":                            {flip(bucketLooks), "whose name looks like another's"},
		"who talks with whom":               {flip(bucketPeers), "two people have a conversation"},
		"the epoch":                         {flip(bucketMeta), "in the bucket meta is damaged"},
		"not a store":                       {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketMeta) }, "not a chat store"},
		"another format":                    {put(bucketMeta, keyFormat, []byte("0")), `format "0"`},
		"a bucket is missing":               {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketUsers) }, `"users" is missing`},
		"a conversation that was not there": {put(bucketConversations, []byte("r:x"), []byte("12345678")), "r:x"},
	} {
		t.Run(name, func(t *testing.T) {
			path := copyOf(t, filled(t))
			if c, err := Verify(t.Context(), path); err != nil || c.Messages != 4 {
				t.Fatalf("before: %+v, %v", c, err)
			}
			if err := change(path, c.damage); err != nil {
				t.Fatal(err)
			}
			var losses []string
			_, err := Check(t.Context(), path, func(loss string) { losses = append(losses, loss) })
			if all := fmt.Sprint(losses, err); !strings.Contains(all, c.want) {
				t.Errorf("%s\nwant %q", all, c.want)
			}
			if _, err := Verify(t.Context(), path); err == nil {
				t.Error("Verify finds nothing")
			}
		})
	}
	if _, err := Verify(t.Context(), filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	over, cancel := context.WithCancel(bg)
	cancel()
	if _, err := Verify(over, copyOf(t, filled(t))); !errors.Is(err, context.Canceled) {
		t.Errorf("with no time: %v", err)
	}
}

func copyTo(bucket, from, to []byte) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).Put(to, bytes.Clone(tx.Bucket(bucket).Get(from)))
	}
}

func textLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, nil))
}

// A damaged message is named, counted and logged once; the others of its room are read, in
// both directions and by time, and pages are full.
func TestDamagedMessage(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s, err := Open(dir, Options{Log: textLog(&log), every: 40})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := say(s, fmt.Sprint(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	damaged := []uint64{1, 7, 50, 51, 99, 100}
	err = change(s.path, func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketLog)
		for _, seq := range damaged {
			key := numberKey(seq + 1) // the first record says that the conversation was made
			v := bytes.Clone(b.Get(key))
			v[len(v)-1] ^= 4
			if err := b.Put(key, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{Log: textLog(&log)}); err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	for range 2 {
		for _, c := range []struct {
			q       chat.HistoryQuery
			n       int
			damaged []uint64
			more    bool
		}{
			{chat.HistoryQuery{Limit: 100}, 94, damaged, false},
			{chat.HistoryQuery{Limit: 5}, 5, []uint64{1}, true},
			{chat.HistoryQuery{Limit: 10, Newest: true}, 10, []uint64{99, 100}, true},
			{chat.HistoryQuery{AfterSeq: 98, Limit: 10}, 0, []uint64{99, 100}, false},
			{chat.HistoryQuery{AfterSeq: 48, BeforeSeq: 53, Limit: 10}, 2, []uint64{50, 51}, false},
			{chat.HistoryQuery{Since: 1, Limit: 100}, 94, damaged, false},
			{chat.HistoryQuery{Until: 1, Limit: 100}, 0, nil, false},
		} {
			c.q.Conversation = lobby
			page, err := s.History(bg, c.q)
			if err != nil || len(page.Messages) != c.n || fmt.Sprint(page.Damaged) != fmt.Sprint(c.damaged) || page.More != c.more {
				t.Errorf("%+v: %d messages, damaged %v, more %t, %v; want %d, %v, %t", c.q, len(page.Messages), page.Damaged, page.More, err, c.n, c.damaged, c.more)
			}
			for _, m := range page.Messages {
				if m.Content != fmt.Sprint(m.Seq) {
					t.Errorf("message %d is %q", m.Seq, m.Content)
				}
			}
		}
	}
	changes, _, err := s.Changes(bg, lobby, 0, 100)
	if err != nil || len(changes) != 100 || !changes[6].Damaged || changes[6].Number != 7 || changes[7].Damaged || changes[7].Message.Content != "8" {
		t.Errorf("%v, %v", changes, err)
	}
	if s.Damaged() != uint64(len(damaged)) {
		t.Errorf("%d are counted, of %d", s.Damaged(), len(damaged))
	}
	for _, seq := range damaged {
		if n := strings.Count(log.String(), fmt.Sprintf("conversation=r:lobby file=%s error=\"chat/bolt: a record is damaged\" number=%d\n", s.path, seq)); n != 1 {
			t.Errorf("message %d was logged %d times:\n%s", seq, n, log.String())
		}
	}
	if e, err := say(s, "more"); err != nil || e.Seq != 101 {
		t.Errorf("%+v, %v", e, err)
	}
}

// Where the page that says where the newest data are is damaged, a new epoch begins: seqs of
// what is lost are given to other messages.
func TestLostTransaction(t *testing.T) {
	for name, c := range map[string]struct {
		page  int // 0: the newer one
		epoch bool
	}{"the newer one": {0, true}, "the older one": {1, true}, "none": {-1, false}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir)
			for i := range 3 {
				if _, err := say(s, fmt.Sprint(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(bg); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(s.path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			p, err := openPages(f)
			if err != nil || p.lost {
				t.Fatal(err)
			}
			if c.page >= 0 {
				at := int64((p.meta.txid+uint64(c.page))%2) * int64(p.size)
				if _, err := f.WriteAt(make([]byte, 100), at); err != nil {
					t.Fatal(err)
				}
			}
			f.Close()
			var log bytes.Buffer
			again, err := Open(dir, Options{Log: textLog(&log)})
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close(bg)
			if begun := again.epoch != s.epoch; begun != c.epoch || begun != strings.Contains(log.String(), "A new epoch has begun") {
				t.Errorf("epoch %s, was %s; logged: %s", again.epoch, s.epoch, log.String())
			}
			// Once is enough.
			again.Close(bg)
			third := mustOpen(t, dir)
			if third.epoch != again.epoch {
				t.Errorf("and another one, %s", third.epoch)
			}
		})
	}
}
