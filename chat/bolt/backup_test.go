package bolt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// copyOf writes the store to a file, as the first step of a backup.
func copyOf(t *testing.T, s *Store) string {
	t.Helper()
	snapshot, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, snapshot)
}

func fileOf(t *testing.T, snapshot *Snapshot) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	n, err := snapshot.WriteTo(f)
	if err := errors.Join(err, f.Close(), snapshot.Close()); err != nil {
		t.Fatal(err)
	}
	if n != snapshot.Size() {
		t.Errorf("%d bytes; the size is %d", n, snapshot.Size())
	}
	return path
}

// filled is a store with something in every bucket. The last membership is in joins only.
func filled(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), Options{Log: quiet.Log, members: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(bg) })
	private := chat.PrivateConversation("u_ada", "u_bob")
	for _, batch := range [][]chat.Entry{
		{{Conversation: lobby, Message: message("one", "r1")}, {Conversation: lobby, Message: message("two", "")}},
		{{Conversation: private, Message: message("psst", "r1")}, {Conversation: lobby, Message: message("three", "r3")}},
	} {
		if err := commit(s, batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.PutUser(bg, chat.User{ID: "u_ada", Name: "Ada"}), s.PutUser(bg, chat.User{ID: "u_bob", Name: "Bob"}), s.SetKeyID("k1")); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"lobby u_ada", "lobby u_bob", "attic u_ada", "attic u_bob"} {
		room, user, _ := strings.Cut(m, " ")
		mustJoin(t, s, room, user)
		begin(t, s, chat.Session{ID: "s " + m, UserID: user, Began: 1})
		s.commits.flush()
		if err := (bans{s}).Ban(bg, chat.Ban{UserID: "u_eve", Reason: "spam"}); err != nil { // which writes all of it
			t.Fatal(err)
		}
	}
	return s
}

func mustJoin(t testing.TB, s *Store, room, user string) {
	t.Helper()
	if changed, err := s.members.Join(bg, room, user); !changed || err != nil {
		t.Fatalf("%s joins %s: %t, %v", user, room, changed, err)
	}
}

func begin(t testing.TB, s *Store, one chat.Session) {
	t.Helper()
	if err := s.sessions.Begin(bg, one); err != nil {
		t.Fatal(err)
	}
}

func message(content, ref string) *chat.Message {
	return &chat.Message{Sender: "u_ada", SenderName: "Ada", Timestamp: "1", Content: content, Metadata: []byte("{}"), Ref: ref}
}

// A snapshot does not contain later commits, and nothing waits for it, however much the
// file grows.
func TestSnapshot(t *testing.T) {
	s := filled(t)
	snapshot, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	var batch []chat.Entry
	for range 70 { // more than the 64 MiB that a smaller file would have mapped
		batch = append(batch, chat.Entry{Conversation: lobby, Message: message(long, "")})
	}
	if err := commit(s, batch); err != nil {
		t.Fatal(err)
	}
	c, err := Verify(t.Context(), fileOf(t, snapshot))
	if err != nil || c.Messages != 4 || c.Conversations != 2 || c.Users != 2 || c.KeyID != "k1" || c.Epoch != s.epoch || c.TokenKey != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := Verify(t.Context(), copyOf(t, s)); err != nil || c.Messages != 74 {
		t.Errorf("afterwards: %+v, %v", c, err)
	}
}

func TestSealAndRevive(t *testing.T) {
	s := filled(t)
	path := copyOf(t, s)
	if err := Revive(path); err == nil {
		t.Error("a copy that is not a backup is revived")
	}
	if err := Seal(path, []byte("the key")); err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(t.Context(), path); err != nil || string(c.TokenKey) != "the key" || c.Messages != 4 {
		t.Fatalf("%+v, %v", c, err)
	}
	dir := t.TempDir()
	if err := Replace(path, dir, false); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"Open":         func() error { _, err := Open(dir, quiet); return err },
		"OpenSnapshot": func() error { _, err := OpenSnapshot(dir); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "hawser restore") {
			t.Errorf("%s of a backup: %v", name, err)
		}
	}
	if err := Revive(path); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, dir, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a store is replaced unasked: %v", err)
	}
	r := mustOpen(t, dir)
	if got := contents(t, r); strings.Join(got, " ") != "one two three" {
		t.Errorf("the lobby has %q", got)
	}
	if e := r.epoch; e == s.epoch || len(e) != len(s.epoch) {
		t.Errorf("the epoch is %q; it was %q", e, s.epoch)
	}
	if string(r.UnpackedKey()) != "the key" || r.KeyID() != "k1" {
		t.Errorf("key %q, id %q", r.UnpackedKey(), r.KeyID())
	}
	again := []chat.Entry{{Conversation: lobby, Message: message("one", "r1")}}
	if rs, err := results(r, again); err != nil || !rs[0].Duplicate || rs[0].Change.Seq != 1 {
		t.Errorf("what is sent again with its ref: %+v, %v", rs, err)
	}
	if err := r.KeyInstalled(); err != nil || r.UnpackedKey() != nil {
		t.Errorf("%v, %q", err, r.UnpackedKey())
	}
}

// A process that waits for the lock on a store while it is replaced gets the new one.
func TestReplacedWhileWaiting(t *testing.T) {
	s := filled(t)
	dir := filepath.Dir(s.path)
	path := copyOf(t, s)
	if err := errors.Join(Seal(path, []byte("k")), Revive(path), s.Close(bg)); err != nil {
		t.Fatal(err)
	}
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var inUse *InUseError
	if _, err := open(dir, 1, quiet); !errors.As(err, &inUse) {
		t.Errorf("a locked store: %v", err)
	}
	opened := make(chan *Store)
	go func() {
		r, err := open(dir, 0, quiet) // without a time limit
		if err != nil {
			t.Error(err)
		}
		opened <- r
	}()
	if err := Replace(path, dir, true); err != nil {
		t.Fatal(err)
	}
	unlock()
	r := <-opened
	defer r.Close(bg)
	if r.epoch == s.epoch {
		t.Error("it is the old one")
	}
	if _, err := Lock(dir); !errors.As(err, &inUse) {
		t.Errorf("Lock of an open store: %v", err)
	}
	if _, err := Lock(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lock of nothing: %v", err)
	}
}

// A copy without a server keeps servers out, and changes nothing.
func TestOpenSnapshot(t *testing.T) {
	s := filled(t)
	dir := filepath.Dir(s.path)
	var inUse *InUseError
	if _, err := OpenSnapshot(dir); !errors.As(err, &inUse) {
		t.Errorf("of a store that is open: %v", err)
	}
	s.Close(bg)
	before, _ := os.ReadFile(s.path)
	snapshot, err := OpenSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(dir, 1, quiet); !errors.As(err, &inUse) {
		t.Errorf("a server opened it: %v", err)
	}
	if c, err := Verify(t.Context(), fileOf(t, snapshot)); err != nil || c.Messages != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	if after, _ := os.ReadFile(s.path); string(after) != string(before) {
		t.Error("the store was changed")
	}
	if _, err := OpenSnapshot(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
}
