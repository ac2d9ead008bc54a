package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
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

	"github.com/hawser-ws/hawser/chat"
)

// truth is what was stored.
type truth struct {
	epoch string
	said  map[chat.Conversation][]chat.Stored
	refs  map[chat.Conversation][]string // by seq - 1
	users []chat.User
	talks int // of u_ada

	rooms, members map[string][]string // of users, and of rooms, in order
	left           map[string]string   // by user: a room that they left last
	sessions       map[string]string   // the id, by user
	bans           map[string]string   // the reason, by user
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
	tr.join(t, s)
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
	tr.leave(t, s)
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	return tr
}

// join makes the users join rooms and begin sessions, and bans some of them. After that,
// most memberships are in their places.
func (tr *truth) join(t *testing.T, s *Store) {
	tr.rooms, tr.members = make(map[string][]string), make(map[string][]string)
	tr.left, tr.sessions, tr.bans = make(map[string]string), make(map[string]string), make(map[string]string)
	for i, u := range tr.users {
		if i%16 == 0 {
			tr.bans[u.ID] = fmt.Sprint("reason ", i)
			if err := (bans{s}).Ban(bg, chat.Ban{UserID: u.ID, Reason: tr.bans[u.ID]}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 3 {
			tr.enter(t, s, fmt.Sprint("room-", (i*7+n)%20), u.ID)
		}
		id := fmt.Sprintf("s_%016d", i)
		tr.sessions[u.ID] = id
		begin(t, s, chat.Session{ID: id, UserID: u.ID, Key: chat.KeyHash{byte(i)}, Features: []string{"ack", "presence"}, Began: int64(i)})
	}
}

func (tr *truth) enter(t *testing.T, s *Store, room, user string) {
	t.Helper()
	mustJoin(t, s, room, user)
	tr.rooms[user] = append(tr.rooms[user], room)
	tr.members[room] = append(tr.members[room], user)
}

// leave ends and begins memberships, which are in the bucket of joins after that.
func (tr *truth) leave(t *testing.T, s *Store) {
	for _, u := range tr.users[:30] {
		tr.enter(t, s, "a-late-room", u.ID)
		room := tr.rooms[u.ID][0]
		if changed, err := s.members.Leave(bg, room, u.ID); !changed || err != nil {
			t.Fatal(changed, err)
		}
		tr.left[u.ID] = room
		tr.rooms[u.ID] = tr.rooms[u.ID][1:]
		tr.members[room] = slices.DeleteFunc(tr.members[room], func(id string) bool { return id == u.ID })
	}
	for _, rooms := range tr.rooms {
		slices.Sort(rooms)
	}
}

// S02: each page of a store is damaged in turn, in several ways. Everything read afterwards
// is what was stored, or is reported missing; nothing hangs, and no request ends the
// process. A check finds all damage that the engine finds.
func TestS02DamagedPages(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
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
			count[useInTime(t, fmt.Sprintf("page %d, %s", at/size, kind), sub, tr)]++
		}
	}
	t.Log(count)
	if count["refused"] == 0 || count["found"] == 0 {
		t.Error("the test damaged nothing that matters")
	}
}

// useInTime is useDamaged with a time limit that only a hang exceeds.
func useInTime(t *testing.T, what, dir string, tr *truth) string {
	t.Helper()
	over := make(chan string)
	go func() { over <- useDamaged(t, what, dir, tr) }()
	select {
	case result := <-over:
		return result
	case <-time.After(time.Minute):
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s: it hangs\n%s", what, stacks[:runtime.Stack(stacks, true)])
		return ""
	}
}

// S02: in the pages by which others are found, one bit of a key is wrong, or of where it is, or of its
// length. A reader that goes through everything in order finds it all, but some of it cannot be looked up.
func TestS02DamagedBranches(t *testing.T) {
	const header, element, flagBranch = 16, 16, 1
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	tr := damagedStore(t, dir, rand.New(rand.NewPCG(seed, 0)))
	whole, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	sub := t.TempDir()
	path := filepath.Join(sub, FileName)
	size := os.Getpagesize()
	count := make(map[string]int)
	flip := func(at, bit int) {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << bit
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		count[useInTime(t, fmt.Sprintf("page %d, byte %d, bit %d", at/size, at%size, bit), sub, tr)]++
	}
	for page := 0; page+size <= len(whole); page += size {
		if binary.NativeEndian.Uint16(whole[page+8:]) != flagBranch {
			continue
		}
		for i := range min(int(binary.NativeEndian.Uint16(whole[page+10:])), 3) {
			at := page + header + i*element
			key := at + int(binary.NativeEndian.Uint32(whole[at:]))
			length := int(binary.NativeEndian.Uint32(whole[at+4:]))
			for bit := range 5 {
				flip(at, bit)
				flip(at+4, bit)
			}
			if end := bytes.IndexByte(whole[key:key+length], 0); end > 0 { // of a user or a room
				flip(key+end-1, 0)
			}
		}
	}
	t.Log(count)
	if count["found"] == 0 {
		t.Error("the test damaged nothing that matters")
	}
}

// S02: the same with damage in several places.
func TestS02DamagedAnywhere(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	tr := damagedStore(t, dir, r)
	path := filepath.Join(dir, FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPages(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	whole = whole[:int(p.meta.high)*p.size]
	kinds := slices.Sorted(maps.Keys(damages))
	count := make(map[string]int)
	for i := range 100 {
		damaged := bytes.Clone(whole)
		for range 1 + r.IntN(6) {
			at := r.IntN(len(whole) - 64)
			damages[kinds[r.IntN(len(kinds))]](r, damaged[at:min(len(whole), at+64+r.IntN(2*p.size))])
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		count[useInTime(t, fmt.Sprint("file ", i), dir, tr)]++
	}
	t.Log(count)
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

// useDamaged reads and writes everything in a damaged store, and compares it with the truth.
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
	s.filters.Wait() // it reads in the background
	u := damagedUse{T: t, s: s, what: what, truth: tr}
	for c := range tr.said {
		u.read(c)
	}
	u.readUsers()
	u.readMembers()
	u.readSessions()
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
	missed []string // what the store reports missing
}

func (u *damagedUse) wrong(format string, args ...any) {
	u.Helper()
	u.Errorf(u.what+": "+format, args...)
}

func (u *damagedUse) miss(format string, args ...any) {
	u.missed = append(u.missed, fmt.Sprintf(format, args...))
}

// noticed checks that the operator is told.
func (u *damagedUse) noticed() bool {
	return u.s.Damaged() > 0 || u.s.Broken() != nil || u.s.epoch != u.epoch
}

// read compares a conversation with the messages sent to it.
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
		if u.s.epoch != u.epoch { // begun again, with other ids
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
	if talks, _, err := u.s.Talks(bg, "u_ada", 0, "", 10); err != nil || len(talks) != u.talks {
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
