package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// errAbsent says that a record cannot be deleted because it does not exist yet.
var errAbsent = errors.New("the record is not there")

// A check finds a damaged or missing record of any kind.
func TestCheckFindsDamage(t *testing.T) {
	del := func(bucket, key []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			if tx.Bucket(bucket).Get(key) == nil {
				return errAbsent
			}
			return tx.Bucket(bucket).Delete(key)
		}
	}
	put := func(bucket, key, value []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) }
	}
	// first is the key of the bucket's first record once everything is written.
	flip := func(bucket []byte, first ...byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			k, v := tx.Bucket(bucket).Cursor().First()
			if k == nil || !bytes.HasPrefix(k, first) {
				return errAbsent
			}
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
		"a message is missing":          {del(bucketLog, numberKey(3)), "message 2 of r:lobby is damaged or missing"},
		"a message is damaged":          {put(bucketLog, numberKey(3), []byte("12345678")), "message 2 of r:lobby is damaged or missing"},
		"the last message is missing":   {del(bucketLog, numberKey(6)), "message 3 of r:lobby is damaged or missing"},
		"a message of no conversation":  {put(bucketLog, numberKey(99), e.encode(numberKey(99))), "conversation 9, which is missing"},
		"a message under another's key": {copyTo(bucketLog, numberKey(2), numberKey(3)), "message 2 of r:lobby"},
		"a key":                         {put(bucketLog, []byte("x"), nil), "has the key 78"},
		"a list of what was written":    {flip(bucketBatches), "the list of it is damaged"},
		"the last list is missing":      {del(bucketBatches, numberKey(4)), "the lists of what was written from record 4 to 6 of the log are missing"},
		"a user":                        {flip(bucketUsers), "the user u_ada"},
		"a user is missing":             {del(bucketUsers, []byte("u_ada")), "1 users are there, of 2"},
		"a look":                        {flip(bucketLooks), "whose name looks like another's"},
		"who talks with whom":           {flip(bucketPeers), "two people have a conversation"},
		"the epoch":                     {flip(bucketMeta), "in the bucket meta is damaged"},
		"not a store":                   {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketMeta) }, "not a chat store"},
		"another format":                {put(bucketMeta, keyFormat, []byte("0")), `format "0"`},
		"a new bucket is missing":       {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketBans) }, `"bans" is missing`},
		"a bucket is missing":           {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketUsers) }, `"users" is missing`},
		"a membership":                  {flip(bucketMemberships, []byte("u_ada\x00attic")...), `"u_ada\x00attic" of the bucket "memberships" is damaged`},
		// Their number depends on when the latest ones were written there.
		"a membership is missing": {del(bucketMemberships, []byte("u_ada\x00lobby")), `2 memberships are there, of 3, in the bucket "memberships" | 3 memberships are there, of 4, in the bucket "memberships"`},
		"a member":                {flip(bucketMembers, []byte("attic\x00u_ada")...), `"attic\x00u_ada" of the bucket "members" is damaged`},
		"a member is missing":     {del(bucketMembers, []byte("lobby\x00u_ada")), `2 memberships are there, of 3, in the bucket "members" | 3 memberships are there, of 4, in the bucket "members"`},
		"a member is another": {func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketMembers)
			return errors.Join(putMember(b, bucketMembers, "lobby", "u_ada", &memberChange{}), putMember(b, bucketMembers, "lobby", "u_eve", &memberChange{member: true}))
		}, "the memberships of the users and those of the rooms are not the same"},
		"what became of memberships":        {flip(bucketJoins), "which memberships began or ended last"},
		"all that became of memberships":    {del(bucketJoins, numberKey(4)), "which memberships began or ended last: the last record that is there is 3 of 4"},
		"a session":                         {flip(bucketSessions), "session"},
		"a session is missing":              {del(bucketSessions, append(numberKey(1), "s lobby u_ada"...)), "3 sessions are there, of 4"},
		"a ban":                             {flip(bucketBans), `the ban "u_eve": the record is damaged`},
		"a ban is missing":                  {del(bucketBans, []byte("u_eve")), "0 bans are there, of 1"},
		"a conversation that was not there": {put(bucketConversations, []byte("r:x"), []byte("12345678")), "r:x"},
	} {
		t.Run(name, func(t *testing.T) {
			// Memberships are put into their buckets in the background.
			var path string
			err := errAbsent
			for tries := 0; errors.Is(err, errAbsent) && tries < 50; tries++ {
				path = copyOf(t, filled(t))
				if c, err := Verify(t.Context(), path); err != nil || c.Messages != 4 {
					t.Fatalf("before: %+v, %v", c, err)
				}
				err = change(path, c.damage)
			}
			if err != nil {
				t.Fatal(err)
			}
			var losses []string
			_, err = Check(t.Context(), path, func(loss string) { losses = append(losses, loss) })
			all := fmt.Sprint(losses, err)
			if !slices.ContainsFunc(strings.Split(c.want, " | "), func(want string) bool { return strings.Contains(all, want) }) {
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
	for _, seq := range damaged {
		spoil(t, s.path, bucketLog, numberKey(seq+1)) // the first record says that the lobby was made
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

// If the page that points to the newest data is damaged, a new epoch begins: the seqs of
// lost messages are reused.
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

// spoil changes a bit of a record.
func spoil(t *testing.T, path string, bucket, key []byte) {
	t.Helper()
	err := change(path, func(tx *bbolt.Tx) error {
		v := bytes.Clone(tx.Bucket(bucket).Get(key))
		v[len(v)-1] ^= 4
		return tx.Bucket(bucket).Put(key, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}
