package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// triggers is a clock whose timers a test fires.
type triggers struct {
	*jumpyClock
	mu    sync.Mutex
	armed []func()
}

func (c *triggers) AfterFunc(_ time.Duration, f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = append(c.armed, f)
	return func() bool { return true }
}

// fire calls the functions that are due, and returns how many there were.
func (c *triggers) fire() int {
	c.mu.Lock()
	armed := c.armed
	c.armed = nil
	c.mu.Unlock()
	for _, f := range armed {
		f()
	}
	return len(armed)
}

func openTriggered(t *testing.T, dir string) (*Store, *triggers) {
	t.Helper()
	c := &triggers{jumpyClock: newJumpyClock()}
	s, err := Open(dir, Options{Clock: c, Log: quiet.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(bg) })
	s.filters.Wait()
	c.fire() // the search for expired sessions
	return s, c
}

// transaction is the number of the last transaction.
func transaction(t *testing.T, s *Store) (id int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

// records is how many records a bucket has on disk.
func records(t *testing.T, s *Store, bucket []byte) (n int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(bucket).Stats().KeyN; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// Memberships and sessions have no transactions of their own. They are written with the next
// one, sessions only if they are due. If there is none, all of them share one when the time is
// over.
func TestJoinsWaitForATransaction(t *testing.T) {
	s, c := openTriggered(t, t.TempDir())
	at := transaction(t, s)
	for i := range 100 {
		mustJoin(t, s, fmt.Sprint("room", i), "u_ada")
		begin(t, s, chat.Session{ID: fmt.Sprint("s", i), UserID: "u_ada"})
	}
	if now := transaction(t, s); now != at {
		t.Errorf("%d transactions for memberships and sessions", now-at)
	}
	if _, err := say(s, "hello"); err != nil {
		t.Fatal(err)
	}
	if now := transaction(t, s); now != at+1 || records(t, s, bucketJoins) != 1 || records(t, s, bucketSessions) != 0 {
		t.Errorf("%d transactions for a message and what goes along; %d records of joins, %d of sessions", now-at, records(t, s, bucketJoins), records(t, s, bucketSessions))
	}
	if n := c.fire(); n != 1 {
		t.Errorf("%d timers", n)
	}
	for transaction(t, s) < at+2 {
		runtime.Gosched()
	}
	if n := records(t, s, bucketSessions); n != 100 {
		t.Errorf("%d sessions on disk", n)
	}
	mustJoin(t, s, "attic", "u_ada")
	if n := c.fire(); n != 1 {
		t.Errorf("%d timers", n)
	}
	for records(t, s, bucketJoins) < 2 {
		runtime.Gosched()
	}
	c.fire()
	if _, err := say(s, "again"); err != nil {
		t.Fatal(err)
	}
	if now := transaction(t, s); now != at+4 {
		t.Errorf("%d transactions of 4", now-at)
	}
}

// Many memberships do not wait, even if no time passes.
func TestManyJoinsDoNotWait(t *testing.T) {
	s, _ := openTriggered(t, t.TempDir())
	for i := range maxDirty {
		mustJoin(t, s, "lobby", fmt.Sprint("u", i))
	}
	for records(t, s, bucketJoins) == 0 {
		runtime.Gosched()
	}
}

// A transaction that fails loses no membership and no session: the next one has them.
func TestJoinsOfAFailedTransaction(t *testing.T) {
	dir := t.TempDir()
	s, c := openTriggered(t, dir)
	fails := errors.New("no")
	mustJoin(t, s, "lobby", "u_ada")
	mustJoin(t, s, "lobby", "u_bob")
	begin(t, s, chat.Session{ID: "s_1", UserID: "u_ada"})
	begin(t, s, chat.Session{ID: "s_2", UserID: "u_ada"})
	c.fire()
	awaitCheckpoint(t, s)
	mustJoin(t, s, "attic", "u_ada")
	mustJoin(t, s, "attic", "u_bob")
	s.sessions.Release("s_1")
	s.sessions.Release("s_2")
	var leave error
	err := s.update(func(tx *bbolt.Tx) error {
		w := newWriter(s, tx)
		if err := errors.Join(w.putSessions(), w.finish()); err != nil {
			return err
		}
		// Before it fails, one of each changes again.
		_, leave = s.members.Leave(bg, "attic", "u_bob")
		s.sessions.End(bg, "u_ada", "s_2", chat.LoggedOut)
		s.putBack(w)
		return fails
	})
	if !errors.Is(err, fails) || leave != nil {
		t.Fatal(err, leave)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(bg, s.path); err != nil {
		t.Error(err)
	}
	s, _ = openTriggered(t, dir)
	wantRoomsOf(t, s, "u_ada", "attic", "lobby")
	wantRoomsOf(t, s, "u_bob", "lobby")
	if list, err := s.sessions.List(bg, "u_ada"); len(list) != 1 || list[0].ID != "s_1" || err != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

func roomsOf(t testing.TB, s *Store, user string) (rooms []string) {
	t.Helper()
	list, _, err := s.members.RoomsOf(bg, user, "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		rooms = append(rooms, m.Room)
	}
	return rooms
}

func wantRoomsOf(t testing.TB, s *Store, user string, want ...string) {
	t.Helper()
	if got := roomsOf(t, s, user); !slices.Equal(got, want) {
		t.Errorf("the rooms of %s are %v; want %v", user, got, want)
	}
}

// A store that is closed for writing, or has no room, accepts no members.
func TestJoinRefused(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	mustJoin(t, s, "lobby", "u_ada")
	full := errors.New("full")
	s.room.wrote(full)
	if changed, err := s.members.Join(bg, "attic", "u_ada"); changed || !errors.Is(err, full) {
		t.Errorf("no room: %t, %v", changed, err)
	}
	if changed, err := s.members.Leave(bg, "lobby", "u_ada"); !changed || err != nil {
		t.Errorf("no room: %t, %v", changed, err)
	}
	s.room.wrote(nil)
	broken := errors.New("broken")
	s.broken.Store(&broken)
	if changed, err := s.members.Join(bg, "attic", "u_ada"); changed || !errors.Is(err, broken) {
		t.Errorf("broken: %t, %v", changed, err)
	}
	s.broken.Store(nil)
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if changed, err := s.members.Join(bg, "lobby", "u_ada"); changed || err == nil {
			t.Errorf("closed: %t, %v", changed, err)
		}
	}
}

// When the store is opened, guests without a session are no longer members, whether their
// memberships are in joins or in their places: the process may have ended in between.
func TestGuestsWithoutSession(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Log: quiet.Log, members: 6})
	if err != nil {
		t.Fatal(err)
	}
	users := []chat.User{{ID: "u_gone", Name: "Gone", Guest: true}, {ID: "u_here", Name: "Here", Guest: true}, {ID: "u_known", Name: "Known"}}
	for _, u := range users {
		if err := s.PutUser(bg, u); err != nil {
			t.Fatal(err)
		}
	}
	begin(t, s, chat.Session{ID: "s_1", UserID: "u_here"})
	for _, room := range []string{"attic", "lobby"} {
		for _, u := range users {
			mustJoin(t, s, room, u.ID)
		}
	}
	awaitCheckpoint(t, s)
	for _, u := range users {
		mustJoin(t, s, "cellar", u.ID)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = mustOpen(t, dir)
		s.filters.Wait()
		wantRoomsOf(t, s, "u_gone")
		wantRoomsOf(t, s, "u_here", "attic", "cellar", "lobby")
		wantRoomsOf(t, s, "u_known", "attic", "cellar", "lobby")
		if err := s.Close(bg); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(bg, s.path); err != nil {
			t.Error(err)
		}
	}
}

// A damaged membership counts as none, is reported, and exists again when the user joins again.
func TestDamagedMembership(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Log: quiet.Log, members: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []string{"attic", "cellar", "lobby"} {
		mustJoin(t, s, room, "u_ada")
	}
	awaitCheckpoint(t, s)
	awaitCheckpoint(t, s)
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	spoil(t, s.path, bucketMemberships, memberKey("u_ada", "cellar"))
	s = mustOpen(t, dir)
	s.filters.Wait()
	wantRoomsOf(t, s, "u_ada", "attic", "lobby")
	if is, err := s.members.IsMember(bg, "cellar", "u_ada"); is || err != nil || s.Damaged() != 1 {
		t.Errorf("member: %t, %v; %d damaged", is, err, s.Damaged())
	}
	mustJoin(t, s, "cellar", "u_ada")
	wantRoomsOf(t, s, "u_ada", "attic", "cellar", "lobby")
	s.members.retireAll(t)
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(bg, s.path); err != nil {
		t.Error(err)
	}
}

// retireAll makes the committer write all memberships in their places.
func (m *members) retireAll(t *testing.T) {
	t.Helper()
	all := m.all()
	m.retireAs(t, all, m.now(all))
}

// retireAs makes it write some of them as they were at a time.
func (m *members) retireAs(t *testing.T, some []placed, now []unsavedMember) {
	t.Helper()
	for i := range some {
		some[i].first = now[i].version
	}
	err := m.s.run(bg, &job{
		change: func(tx *bbolt.Tx) error { return errors.Join(putMembers(tx, now, false), putMembers(tx, now, true)) },
		then:   func() { m.retire(some, now) },
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
}

// A file of format 2 is converted in place. Its users are guests. It can be checked and backed
// up before.
func TestFormat2(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, unzipped(t, "format-2.db.gz"), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot, err := OpenSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]func() (Contents, error){
		"the file": func() (Contents, error) { return Verify(bg, path) },
		"a backup": func() (Contents, error) { return Verify(bg, fileOf(t, snapshot)) },
	} {
		if c, err := c(); err != nil || c.Messages != 11 || c.Users != 3 || c.Epoch != "lwqyrfdbtdllx" || c.KeyID != "k1" {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for range 2 {
		s := mustOpen(t, dir)
		if s.epoch != "lwqyrfdbtdllx" || s.Broken() != nil || s.Damaged() != 0 {
			t.Errorf("epoch %s, broken %v, %d damaged", s.epoch, s.Broken(), s.Damaged())
		}
		if got := strings.Join(contents(t, s), " "); got != "0 1 3 4 6 7 9 10" {
			t.Errorf("messages: %s", got)
		}
		for i, name := range []string{"Ada", "Bob 🦉", "Eve"} {
			want := chat.User{ID: fmt.Sprint("u_", i), Name: name, Created: 1700000000000 + int64(i), Guest: true}
			if u, err := s.User(bg, want.ID); u != want || err != nil {
				t.Errorf("%+v, %v; want %+v", u, err, want)
			}
		}
		if changed, err := s.members.Join(bg, "lobby", "u_9"); err != nil {
			t.Error(changed, err)
		}
		if err := s.db.View(func(tx *bbolt.Tx) error {
			if f := formatOf(tx); f != "3" {
				t.Errorf("format %q", f)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := s.Close(bg); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(bg, s.path); err != nil {
			t.Error(err)
		}
	}
}

// If any bit of a record is flipped, or its end is cut off, sessions, bans, memberships and
// users are read as they were, or not at all.
func TestS04DamagedNewRecords(t *testing.T) {
	var one unsavedSession
	one.Session = chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}, Features: []string{"ack", ""}, From: chat.Origin{Address: "192.0.2.1", Device: "a phone"}, Began: 7, Seen: 8, Expires: 9, Open: 1}
	one.Before = chat.KeyHash{2}
	key := sessionKey(&one.SavedSession)
	joined := []memberChange{{chat.Membership{Room: "attic", UserID: "u_ada", Since: 5}, true}, {chat.Membership{Room: "lobby", UserID: "u_bob"}, false}}
	user := chat.User{ID: "u_ada", Name: "Ada", Created: 5, ValidFrom: 6}
	ban := chat.Ban{UserID: "u_ada", Reason: "spam", By: "admin", Since: 5, Until: 6, Strike: 1}
	for name, c := range map[string]struct {
		record, key []byte
		decode      func(k, v []byte) (any, error)
		want        any
	}{
		"session":    {encodeSession(key, &one.SavedSession), key, func(k, v []byte) (any, error) { return decodeSession(k, v) }, one.SavedSession},
		"membership": {encodeMember(bucketMembers, key, 300), key, func(k, v []byte) (any, error) { return decodeMember(bucketMembers, k, v) }, int64(300)},
		"joins":      {encodeJoins(key, joined), key, func(k, v []byte) (any, error) { return decodeJoins(k, v) }, joined},
		"ban":        {encodeBan([]byte("u_ada"), &ban), []byte("u_ada"), func(k, v []byte) (any, error) { return decodeBan(k, v) }, ban},
		"user":       {encodeUser(&user), []byte("u_ada"), func(k, v []byte) (any, error) { return decodeUser(string(k), v) }, user},
	} {
		if got, err := c.decode(c.key, c.record); err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
		for i := range c.record {
			if got, err := c.decode(c.key, c.record[:i]); err == nil {
				t.Errorf("the first %d bytes of a %s are %+v", i, name, got)
			}
			for bit := range 8 {
				v := bytes.Clone(c.record)
				v[i] ^= 1 << bit
				if got, err := c.decode(c.key, v); err == nil {
					t.Errorf("a %s with bit %d of byte %d flipped is %+v", name, bit, i, got)
				}
			}
			if i >= checksumSize { // a good checksum, and a length that leads out of it: no panic
				for _, bucket := range [][]byte{bucketSessions, bucketMembers, bucketJoins, bucketBans, bucketUsers} {
					v := append(bytes.Clone(c.record[:i]), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01)
					c.decode(c.key, sealed(bucket, c.key, v))
				}
			}
		}
	}
}

// Deleted users do not count as missing, and their names are free.
func TestDeletedUsers(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for i := range 3 {
		if err := s.PutUser(bg, chat.User{ID: fmt.Sprint("u_", i), Name: "Paul"}); err != nil {
			t.Fatal(err)
		}
	}
	begin(t, s, chat.Session{ID: "s_1", UserID: "u_1"})
	mustJoin(t, s, "lobby", "u_1")
	over, cancel := context.WithCancel(bg)
	cancel()
	if err := s.DeleteUser(over, "u_0"); !errors.Is(err, context.Canceled) || errors.Is(err, chat.ErrOutcomeUnknown) {
		t.Error(err)
	}
	for _, id := range []string{"u_2", "u_0", "u_1", "u_9"} {
		if err := s.PutUser(bg, chat.User{ID: "u_other", Name: "PauI"}); !errors.Is(err, chat.ErrNameTaken) && id != "u_9" {
			t.Errorf("before %s is deleted: %v", id, err)
		}
		if err := s.DeleteUser(bg, id); err != nil {
			t.Error(err)
		}
	}
	if n := records(t, s, bucketUsers) + records(t, s, bucketLooks); n != 2 {
		t.Errorf("%d records are left", n)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(bg, s.path); err != nil || c.Users != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	s = mustOpen(t, dir)
	if s.filters.Wait(); s.Damaged() > 0 {
		t.Error("a user who was deleted is taken for lost")
	}
	wantRoomsOf(t, s, "u_1")
	if list, err := s.sessions.List(bg, "u_1"); len(list) > 0 || err != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

// A change made while a checkpoint writes the earlier state stays in memory. A state that was
// read from disk before a checkpoint took it out of memory does not count.
func TestJoinDuringCheckpoint(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	mustJoin(t, s, "lobby", "u_ada")
	mustJoin(t, s, "attic", "u_ada")
	is, retired, err := s.members.look(bg, "cellar", "u_ada")
	if is || err != nil {
		t.Fatal(is, err)
	}
	all := s.members.all()
	before := s.members.now(all)
	if changed, err := s.members.Leave(bg, "lobby", "u_ada"); !changed || err != nil {
		t.Fatal(changed, err)
	}
	mustJoin(t, s, "cellar", "u_ada")
	s.members.retireAs(t, all, before)
	wantRoomsOf(t, s, "u_ada", "attic", "cellar")
	s.members.retireAll(t)
	if n, dirty := s.members.fresh(); n != 0 {
		t.Errorf("%d memberships are in memory, %d to be written", n, dirty)
	}
	if _, known, err := s.members.change("cellar", "u_ada", is, retired, true); known || err != nil {
		t.Errorf("that there was no membership counts: %t, %v", known, err)
	}
	if changed, err := s.members.Join(bg, "cellar", "u_ada"); changed || err != nil {
		t.Errorf("joins again: %t, %v", changed, err)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	wantRoomsOf(t, mustOpen(t, dir), "u_ada", "attic", "cellar")
}
