package bolt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/memory"
)

// With random messages, repeats and reads, restarts, checkpoints and a clock that is
// sometimes wrong, the store gives the same results as the engine in memory.
func TestAsInMemory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	again, runs := 0, uint64(0)
	for i := range uint64(8) {
		d := newDifferential(t, seed+i)
		for d.step = range 120 {
			if err := d.once(); err != nil {
				t.Fatalf("seed %d, step %d, a checkpoint every %d changes: %v", seed+i, d.step, d.every, err)
			}
		}
		if err := d.restart(); err != nil {
			t.Fatalf("seed %d, at the end: %v", seed+i, err)
		}
		d.s.Close(bg)
		again += d.again
		if n := len(d.s.runs); n > 0 {
			runs += d.s.runs[n-1].id
		}
	}
	if t.Logf("%d messages were sent again, and %d runs of refs written", again, runs); again < 100 || runs < 8 {
		t.Error("too few")
	}
}

// differential does the same with a store and with the model, by one clock.
type differential struct {
	t     *testing.T
	r     *rand.Rand
	clock *jumpyClock
	dir   string
	every int
	step  int

	s     *Store
	model *memory.Engine

	names  []chat.Conversation
	times  []int64                // of messages
	stored map[string]chat.Change // by the id in the store
	again  int                    // messages that were sent again

	jumps bool          // the clock is ahead at times; otherwise, hours pass
	ahead time.Duration // how far it is
	jump  int           // how often that happened
}

func newDifferential(t *testing.T, seed uint64) *differential {
	r := rand.New(rand.NewPCG(seed, 0))
	d := &differential{t: t, r: r, clock: newJumpyClock(), dir: t.TempDir(), stored: make(map[string]chat.Change), jumps: r.IntN(2) == 0}
	d.every = []int{1, 3, 17, 64, 130, 400}[r.IntN(6)]
	for i, user := range diffUsers {
		d.names = append(d.names, chat.RoomConversation(fmt.Sprint("room", i)))
		for _, other := range diffUsers[i:] {
			d.names = append(d.names, chat.PrivateConversation(user, other))
		}
	}
	d.model = memory.New(d.clock, quiet.Log)
	for _, user := range diffUsers {
		if err := d.model.PutUser(bg, chat.User{ID: user, Name: user}); err != nil {
			t.Fatal(err)
		}
	}
	d.open()
	return d
}

var diffUsers = []string{"u_a", "u_b", "u_ab", "u_c"}

func (d *differential) open() {
	var err error
	if d.s, err = Open(d.dir, Options{Clock: d.clock, Log: quiet.Log, every: d.every, members: 1 + d.r.IntN(9), piece: 1 + d.r.IntN(4)}); err != nil {
		d.t.Fatal(err)
	}
	d.s.db.NoSync = true
}

func (d *differential) once() error {
	d.pass()
	var err error
	if d.r.IntN(12) == 0 {
		err = d.restart()
	} else {
		err = d.append()
	}
	for range 5 {
		c := d.names[d.r.IntN(len(d.names))]
		err = errors.Join(err, d.compareHistory(c), d.compareChanges(c))
	}
	return errors.Join(err, d.move(), d.compareLists(), d.compareMembers())
}

// pass lets some time pass, or sets the clock.
func (d *differential) pass() {
	switch k := d.r.IntN(10); {
	case k < 5:
		d.clock.Pass(time.Duration(d.r.IntN(100_000)) * time.Millisecond)
	case k == 5 && !d.jumps:
		d.clock.Pass(time.Duration(d.r.IntN(10*3600)) * time.Second)
	case k == 5 && d.ahead > 0:
		d.set(0)
	case k == 5 && d.jump < 7: // so that nothing expires because of it
		d.jump++
		d.set(time.Duration(1+d.r.IntN(100)) * time.Hour)
	}
}

func (d *differential) set(ahead time.Duration) {
	d.clock.ahead.Store(int64(ahead))
	d.ahead = ahead
	for range 2 {
		if now, want := d.s.Now(), d.model.Now(); now != want {
			d.t.Fatalf("the time is %d; want %d", now, want)
		}
		d.clock.Pass(6 * time.Second)
	}
}

func (d *differential) restart() error {
	if err := d.s.Close(bg); err != nil {
		return err
	}
	var losses []string
	c, err := Check(bg, filepath.Join(d.dir, FileName), func(l string) { losses = append(losses, l) })
	if err != nil || len(losses) > 0 || c.Messages != uint64(len(d.stored)) {
		return fmt.Errorf("check: %d messages of %d, %q, %v", c.Messages, len(d.stored), losses, err)
	}
	before := d.s.epoch
	d.open()
	if d.s.epoch != before || d.s.Broken() != nil || d.s.Damaged() != 0 {
		return fmt.Errorf("opened again: epoch %s after %s, %d damaged, %v", d.s.epoch, before, d.s.Damaged(), d.s.Broken())
	}
	return nil
}

// append stores messages, some of which were sent before.
func (d *differential) append() error {
	n := 1 + d.r.IntN(12)
	if d.r.IntN(10) == 0 {
		n = 200
	}
	hot := d.names[d.r.IntN(len(d.names))]
	var entries, same []chat.Entry
	for range n {
		c := d.names[d.r.IntN(len(d.names))]
		if d.r.IntN(2) == 0 {
			c = hot
		}
		m := message(fmt.Sprint(d.r.IntN(1000), strings.Repeat("y", d.r.IntN(40))), "")
		m.Sender = diffUsers[d.r.IntN(2)]
		if d.r.IntN(3) == 0 {
			m.Metadata = []byte(`{"x": 1}`)
		}
		if d.r.IntN(2) == 0 { // while the clock is ahead, messages from before that are not
			m.Ref = fmt.Sprint(d.r.IntN(60), ".")
			if d.ahead > 0 {
				m.Ref += fmt.Sprint(d.jump)
			}
		}
		other := *m
		entries, same = append(entries, chat.Entry{Conversation: c, Message: m}), append(same, chat.Entry{Conversation: c, Message: &other})
	}
	got, err := results(d.s, entries)
	if err != nil {
		return err
	}
	awaitCheckpoint(d.t, d.s)
	d.model.Append(bg, same, func(i int, want chat.Result) {
		g := got[i]
		if g.Duplicate {
			d.again++
		} else {
			d.times = append(d.times, g.Change.ServerTS)
		}
		before, known := d.stored[g.Change.ID]
		if g.Duplicate != want.Duplicate || known != g.Duplicate || known && before.Tag != g.Change.Tag || !d.sameChange(&g.Change, &want.Change) {
			err = errors.Join(err, fmt.Errorf("%s, ref %q: %+v; want %+v", entries[i].Conversation, entries[i].Message.Ref, g, want))
		}
		if !known {
			d.stored[g.Change.ID] = g.Change
		}
	})
	return err
}

// sameChange compares a change with the model's, except tag, epoch and message.
func (d *differential) sameChange(got, want *chat.Change) bool {
	return got.Number == want.Number && got.Seq == want.Seq && got.ServerTS == want.ServerTS && d.sameID(got.ID, want.ID) && got.Epoch == d.s.epoch
}

func (d *differential) sameID(got, want string) bool {
	epoch, _ := d.model.Epoch(bg)
	return strings.TrimPrefix(got, d.s.epoch) == strings.TrimPrefix(want, epoch)
}

// number is a number that a message may have, one near the start of a block of the
// index, or 0.
func (d *differential) number(last uint64) uint64 {
	switch d.r.IntN(3) {
	case 0:
		return d.r.Uint64N(last + 3)
	case 1:
		return d.r.Uint64N(8)*blockSize + d.r.Uint64N(3)
	}
	return 0
}

func (d *differential) time() int64 {
	if len(d.times) == 0 || d.r.IntN(2) == 0 {
		return 0
	}
	return d.times[d.r.IntN(len(d.times))] + d.r.Int64N(3) - 1
}

func (d *differential) compareHistory(c chat.Conversation) error {
	tail, err := d.s.Tail(bg, c)
	if want, _ := d.model.Tail(bg, c); err != nil || tail.Seq != want.Seq || tail.Change != want.Change || tail.ServerTS != want.ServerTS {
		return fmt.Errorf("%s ends at %+v, %v; want %+v", c, tail, err, want)
	}
	q := chat.HistoryQuery{Conversation: c, AfterSeq: d.number(tail.Seq), BeforeSeq: d.number(tail.Seq), Since: d.time(), Until: d.time(),
		Newest: d.r.IntN(2) == 0, Limit: 1 + d.r.IntN(90)}
	page, err := d.s.History(bg, q)
	want, _ := d.model.History(bg, q)
	if err != nil || page.More != want.More || len(page.Messages) != len(want.Messages) || len(page.Damaged) > 0 {
		return fmt.Errorf("%+v: %d messages, more %t, damaged %v, %v; want %d, %t", q, len(page.Messages), page.More, page.Damaged, err, len(want.Messages), want.More)
	}
	for i, m := range page.Messages {
		if seq, err := d.s.Locate(bg, c, m.ID); seq != m.Seq || err != nil || !d.sameID(m.ID, want.Messages[i].ID) {
			return fmt.Errorf("%s has %s at %d, %v", c, m.ID, seq, err)
		}
		m.ID = want.Messages[i].ID
		if diff := cmp.Diff(want.Messages[i], m); diff != "" {
			return fmt.Errorf("%+v (-want +got):\n%s", q, diff)
		}
	}
	return nil
}

func (d *differential) compareChanges(c chat.Conversation) error {
	after, limit := d.number(300), 1+d.r.IntN(100)
	got, more, err := d.s.Changes(bg, c, after, limit)
	want, wantMore, _ := d.model.Changes(bg, c, after, limit)
	if err != nil || more != wantMore || len(got) != len(want) {
		return fmt.Errorf("changes of %s after %d: %d, more %t, %v; want %d, %t", c, after, len(got), more, err, len(want), wantMore)
	}
	for i, g := range got {
		if g.Damaged || g.Tag != d.stored[g.ID].Tag || !d.sameChange(&g, &want[i]) || !cmp.Equal(g.Message, want[i].Message) {
			return fmt.Errorf("changes of %s after %d: %+v; want %+v", c, after, g, want[i])
		}
	}
	return nil
}

var diffRooms = []string{"a", "b", "aa", "ab", "a b", "B", "é"}

// move makes users join and leave rooms.
func (d *differential) move() error {
	members := d.model.Parts().Members
	for range d.r.IntN(6) {
		user, room := diffUsers[d.r.IntN(len(diffUsers))], diffRooms[d.r.IntN(len(diffRooms))]
		got, want := d.s.members.Join, members.Join
		if d.r.IntN(2) == 0 {
			got, want = d.s.members.Leave, members.Leave
		}
		changed, err := got(bg, room, user)
		if is, _ := want(bg, room, user); changed != is || err != nil {
			return fmt.Errorf("%s and %s: changed %t, %v; want %t", user, room, changed, err, is)
		}
	}
	return nil
}

// compareMembers compares the lists of rooms and members, page by page.
func (d *differential) compareMembers() error {
	members, limit := d.model.Parts().Members, 1+d.r.IntN(4)
	for _, user := range diffUsers {
		for after, more := "", true; more; {
			want, wantMore, _ := members.RoomsOf(bg, user, after, limit)
			got, gotMore, err := d.s.members.RoomsOf(bg, user, after, limit)
			if err != nil || gotMore != wantMore || len(got)+len(want) > 0 && !cmp.Equal(got, want) {
				return fmt.Errorf("rooms of %s after %q: %+v, more %t, %v; want %+v, %t", user, after, got, gotMore, err, want, wantMore)
			}
			if more = gotMore; more {
				after = got[limit-1].Room
			}
		}
	}
	for _, room := range diffRooms {
		after := diffUsers[d.r.IntN(len(diffUsers))]
		want, wantMore, _ := members.MembersOf(bg, room, after, limit)
		got, gotMore, err := d.s.members.MembersOf(bg, room, after, limit)
		if err != nil || gotMore != wantMore || len(got)+len(want) > 0 && !cmp.Equal(got, want) {
			return fmt.Errorf("members of %s after %q: %+v, more %t, %v; want %+v, %t", room, after, got, gotMore, err, want, wantMore)
		}
		user := diffUsers[d.r.IntN(len(diffUsers))]
		is, err := d.s.members.IsMember(bg, room, user)
		if want, _ := members.IsMember(bg, room, user); is != want || err != nil {
			return fmt.Errorf("%s is a member of %s: %t, %v; want %t", user, room, is, err, want)
		}
	}
	return nil
}

// compareLists compares the lists of rooms and talks, page by page.
func (d *differential) compareLists() error {
	search, limit := []string{"", "2", "ROOM"}[d.r.IntN(3)], 1+d.r.IntN(4)
	for after, more := (chat.RoomPlace{}), true; more; more = after != (chat.RoomPlace{}) {
		got, next, err := d.s.Rooms(bg, after, search, limit)
		want, _, _ := d.model.Rooms(bg, after, search, limit)
		if err != nil || !cmp.Equal(got, want) {
			return fmt.Errorf("rooms after %+v with %q: %+v, %v; want %+v", after, search, got, err, want)
		}
		after = next
	}
	for _, user := range diffUsers {
		got, more, err := d.s.Talks(bg, user, 0, "", limit)
		want, wantMore, _ := d.model.Talks(bg, user, 0, "", limit)
		if err != nil || more != wantMore || len(got)+len(want) > 0 && !cmp.Equal(got, want) {
			return fmt.Errorf("talks of %s: %+v, more %t, %v; want %+v, %t", user, got, more, err, want, wantMore)
		}
	}
	return nil
}
