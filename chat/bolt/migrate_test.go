package bolt

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/enginetest"
)

// oldStore is what a program of format 1 wrote in testdata/format-1.db.gz.
type oldStore struct {
	Epoch, KeyID string
	Users        []chat.User
	Said         []oldSaid
}

type oldSaid struct {
	Conversation                                     chat.Conversation
	ID                                               string
	Seq                                              uint64
	ServerTS                                         int64
	Sender, SenderName, Timestamp, Content, Metadata string
	Ref                                              string
}

// unzipped is a file of testdata.
func unzipped(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

// newOldStore puts it into a folder.
func newOldStore(t *testing.T, dir string) (o oldStore) {
	t.Helper()
	for name, to := range map[string]func([]byte) error{
		"format-1.db.gz":   func(b []byte) error { return os.WriteFile(filepath.Join(dir, FileName), b, 0o600) },
		"format-1.json.gz": func(b []byte) error { return json.Unmarshal(b, &o) },
	} {
		if err := to(unzipped(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// compare compares a store with the old one, except for the seqs that are damaged.
func (o *oldStore) compare(t *testing.T, s *Store, damaged map[string]bool) {
	t.Helper()
	if s.epoch != o.Epoch || s.KeyID() != o.KeyID || s.Broken() != nil {
		t.Errorf("epoch %q, key %q, %v; want %q and %q", s.epoch, s.KeyID(), s.Broken(), o.Epoch, o.KeyID)
	}
	want, times := make(map[chat.Conversation][]chat.Stored), make(map[chat.Conversation][]int64)
	for _, m := range o.Said {
		times[m.Conversation] = append(times[m.Conversation], m.ServerTS)
		if damaged[m.ID] {
			continue
		}
		want[m.Conversation] = append(want[m.Conversation], chat.Stored{Message: chat.Message{Sender: m.Sender, SenderName: m.SenderName,
			Timestamp: m.Timestamp, Content: m.Content, Metadata: []byte(m.Metadata), ServerTS: m.ServerTS}, ID: m.ID, Seq: m.Seq})
	}
	for c, messages := range want {
		page, err := s.History(bg, chat.HistoryQuery{Conversation: c, Limit: 1 << 20})
		if err != nil || !reflect.DeepEqual(page.Messages, messages) || len(page.Damaged) != len(times[c])-len(messages) {
			t.Errorf("%s: %d messages and %d damaged of %d, %v", c, len(page.Messages), len(page.Damaged), len(times[c]), err)
		}
		if tail, _ := s.Tail(bg, c); tail.Seq != uint64(len(times[c])) || tail.ServerTS != times[c][len(times[c])-1] {
			t.Errorf("%s ends at %+v", c, tail)
		}
		for _, at := range times[c] {
			n := 0
			for _, m := range messages {
				if m.ServerTS >= at {
					n++
				}
			}
			if page, err := s.History(bg, chat.HistoryQuery{Conversation: c, Since: at, Limit: 1 << 20}); err != nil || len(page.Messages) != n {
				t.Errorf("%s since %d: %d messages of %d, %v", c, at, len(page.Messages), n, err)
			}
		}
	}
	for _, u := range o.Users {
		u.Guest = true // as all were
		if got, err := s.User(bg, u.ID); got != u || err != nil {
			t.Errorf("%+v, %v; want %+v", got, err, u)
		}
	}
	if talks, _, err := s.Talks(bg, "u_0", 0, "", 10); len(talks) != 2 || err != nil {
		t.Errorf("talks: %v, %v", talks, err)
	}
}

// at is a clock that shows the time of the last message.
func (o *oldStore) clock() *enginetest.Clock {
	var c enginetest.Clock
	for last := time.UnixMilli(o.Said[len(o.Said)-1].ServerTS); c.Now().Before(last); {
		c.Pass(min(last.Sub(c.Now()), 1000*time.Hour))
	}
	return &c
}

// A file of format 1 is migrated when it is opened: messages, ids, seqs, users, refs, epoch
// and key are what they were.
func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	o := newOldStore(t, dir)
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path+migrationSuffix, []byte("of one that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(bg, path); !errors.Is(err, errOldFormat) {
		t.Errorf("Verify before: %v", err)
	}
	if _, err := OpenSnapshot(dir); !errors.Is(err, errOldFormat) {
		t.Errorf("OpenSnapshot before: %v", err)
	}
	var log bytes.Buffer
	s, err := Open(dir, Options{Log: textLog(&log), Clock: o.clock()})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `msg="migrated the chat"`) || !strings.Contains(log.String(), " took=") || !strings.Contains(log.String(), fmt.Sprint(" messages=", len(o.Said))) {
		t.Errorf("logged: %s", log.String())
	}
	o.compare(t, s, nil)
	recent := 0
	seqs := make(map[chat.Conversation]uint64)
	for _, m := range o.Said {
		seqs[m.Conversation] = m.Seq
		if m.Ref == "" || o.Said[len(o.Said)-1].ServerTS-m.ServerTS >= chat.RefLifetime.Milliseconds() {
			continue
		}
		recent++
		again := message("again", m.Ref)
		again.Sender = m.Sender
		rs, err := results(s, []chat.Entry{{Conversation: m.Conversation, Message: again}})
		if err != nil || !rs[0].Duplicate || rs[0].Change.ID != m.ID || rs[0].Change.ServerTS != m.ServerTS {
			t.Errorf("ref %s of %s: %+v, %v", m.Ref, m.ID, rs, err)
		}
	}
	if recent < 10 {
		t.Fatalf("the test looks at %d refs only", recent)
	}
	if err := s.PutUser(bg, chat.User{ID: "u_new", Name: "PauI"}); !errors.Is(err, chat.ErrNameTaken) {
		t.Errorf("a name that looks like another: %v", err)
	}
	for c, seq := range seqs {
		rs, err := results(s, []chat.Entry{{Conversation: c, Message: message("next", "")}})
		if err != nil || rs[0].Change.Seq != seq+1 {
			t.Errorf("%s goes on with %+v, %v", c, rs, err)
		}
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(bg, path); err != nil || c.Messages != uint64(len(o.Said)+len(seqs)) || c.Users != len(o.Users) {
		t.Errorf("%+v, %v", c, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("beside the store lies something: %q", left)
	}
}

// Only what is damaged in a file of format 1 is damaged afterwards.
func TestMigrateDamaged(t *testing.T) {
	dir := t.TempDir()
	o := newOldStore(t, dir)
	damaged := make(map[string]bool)
	err := change(filepath.Join(dir, FileName), func(tx *bbolt.Tx) error {
		for i, m := range o.Said {
			if m.Conversation != "r:garden" || i%40 != 0 {
				continue
			}
			key := pairKey(m.number(o.Epoch), m.Seq)
			damaged[m.ID] = true
			if i%80 == 0 {
				tx.Bucket(oldMessages).Delete(key)
			} else {
				tx.Bucket(oldMessages).Put(key, []byte("short"))
			}
		}
		return nil
	})
	if err != nil || len(damaged) < 3 {
		t.Fatal(err, len(damaged))
	}
	s := mustOpen(t, dir)
	o.compare(t, s, damaged)
	if _, err := os.Stat(s.path + keptSuffix); err != nil {
		t.Errorf("the old file is not kept: %v", err)
	}
}

// A backup of format 1 is converted to the current format.
func TestUpgradeBackup(t *testing.T) {
	dir := t.TempDir()
	o := newOldStore(t, dir)
	path := filepath.Join(dir, FileName)
	err := change(path, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucketBackup)
		if err != nil {
			return err
		}
		return errors.Join(b.Put(keyState, []byte(stateSealed)), b.Put(keyToken, []byte("the key")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet); err == nil || !strings.Contains(err.Error(), "hawser restore") {
		t.Errorf("Open of a backup: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if err := Upgrade(bg, path, func(what string) { t.Errorf("lost: %s", what) }); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := Verify(bg, path); err != nil || string(c.TokenKey) != "the key" || c.Messages != uint64(len(o.Said)) {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := Revive(path); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	if string(s.UnpackedKey()) != "the key" || s.epoch == o.Epoch || s.KeyID() != o.KeyID {
		t.Errorf("key %q of id %q, epoch %q", s.UnpackedKey(), s.KeyID(), s.epoch)
	}
}

// A process that migrates is killed at a random moment, again and again: the file is the
// old one or the new one, and the next process that opens it finds everything.
func TestMigrateKilled(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	formats := make(map[string]int)
	for range 20 {
		dir := t.TempDir()
		o := newOldStore(t, dir)
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), migrateVariable+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		bufio.NewReader(out).ReadString('\n') // it begins
		time.Sleep(time.Duration(random.IntN(12_000)) * time.Microsecond)
		child.Process.Kill()
		child.Wait()
		db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, &bbolt.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		db.View(func(tx *bbolt.Tx) error { formats[formatOf(tx)]++; return nil })
		db.Close()
		s, err := Open(dir, quiet)
		if err != nil {
			t.Fatal(err)
		}
		o.compare(t, s, nil)
		s.Close(bg)
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
			t.Errorf("beside the store lies something: %q", left)
		}
	}
	t.Logf("formats after the kill: %v", formats)
}

const migrateVariable = "HAWSER_TEST_BOLT_MIGRATE"

// migrateUntilKilled opens a store.
func migrateUntilKilled(dir string) {
	fmt.Println("begun")
	s, err := Open(dir, quiet)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Close(bg)
	os.Exit(0)
}
