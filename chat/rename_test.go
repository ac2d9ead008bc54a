package chat_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

func (h *house) rename(u chat.User) {
	h.t.Helper()
	if err := h.store.PutUser(u); err != nil {
		h.t.Fatal(err)
	}
	h.hub.Rename(u)
}

// A new name reaches those who watch at once and everybody else with the next
// message, on each of the user's connections.
func TestRename(t *testing.T) {
	h := newHouse(t, nil)
	watcher, simple := h.enter("ada", `"presence"`), h.enter("ada", "")
	phone, laptop := h.enter("bob", ""), h.enter("bob", "")
	watcher.say(`{"type":"join","receiver_id":"lobby"}`)
	phone.say(`{"type":"join","receiver_id":"lobby"}`)
	h.settle()
	simple.say(`{"type":"join","receiver_id":"lobby"}`)
	laptop.say(`{"type":"join","receiver_id":"lobby"}`)
	watcher.say(`{"type":"join","receiver_id":"other"}`) // where Bob is not
	h.settle()
	watcher.leftover()
	simple.leftover()

	h.rename(chat.User{ID: "u_bob", Name: "Robert"})
	want := `{"type":"system","timestamp":1754474400.000,"sender_id":"system","receiver_id":"lobby",` +
		`"content":"Bob is now called Robert","metadata":{},"event":"renamed","user_id":"u_bob","name":"Robert","server_ts":1754474400000}`
	if diff := cmp.Diff([]string{want}, watcher.leftover()); diff != "" {
		t.Errorf("a watcher heard (-want +got):\n%s", diff)
	}
	laptop.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	phone.say(`{"type":"message","receiver_id":"u_ada","content":"y"}`)
	h.settle()
	for _, m := range simple.leftover() {
		if !strings.Contains(m, `"sender_name":"Robert"`) {
			t.Errorf("after the new name: %s", m)
		}
	}
	watcher.leftover()
	for _, receiver := range []string{"lobby", "u_bob"} {
		watcher.say(`{"type":"presence","receiver_id":"` + receiver + `"}`)
		if m := watcher.hear(); !strings.Contains(m, `{"user_id":"u_bob","name":"Robert"}`) {
			t.Errorf("presence: %s", m)
		}
	}
	phone.session.Closed()
	laptop.session.Closed()
	h.settle()
	if got := watcher.leftover(); len(got) != 1 || !strings.Contains(got[0], `"content":"Robert left"`) {
		t.Errorf("after the last connection: %q", got)
	}
}

// A store whose user is renamed while a session reads it.
type renamingStore struct {
	chat.Store
	once   sync.Once
	rename func()
}

func (s *renamingStore) User(id string) (chat.User, error) {
	u, err := s.Store.User(id)
	if id == "u_bob" {
		s.once.Do(s.rename)
	}
	return u, err
}

// A session that enters just then does not bring the old name back.
func TestRenameDuringAuth(t *testing.T) {
	store := &renamingStore{Store: openStore(t, t.TempDir())}
	h := newHouse(t, func(cfg *chat.Config) { cfg.Store = store })
	store.rename = func() { h.rename(chat.User{ID: "u_bob", Name: "Robert"}) }
	bob := h.connect()
	bob.say(`{"type":"auth","token":"token-of-bob"}`)
	if m := bob.hear(); !strings.Contains(m, `"name":"Robert"`) {
		t.Errorf("auth: %s", m)
	}
	bob.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	if m := bob.hear(); !strings.Contains(m, `"sender_name":"Robert"`) {
		t.Errorf("the message: %s", m)
	}
	if more := bob.leftover(); more != nil {
		t.Errorf("also %q", more)
	}
}
