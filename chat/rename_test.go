package chat_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

func (h *house) rename(u chat.User) {
	h.t.Helper()
	if err := h.engine.Directory.PutUser(ctx, u); err != nil {
		h.t.Fatal(err)
	}
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
	phone.conn.Closed()
	laptop.conn.Closed()
	h.settle()
	if got := watcher.leftover(); len(got) != 1 || !strings.Contains(got[0], `"content":"Robert left"`) {
		t.Errorf("after the last connection: %q", got)
	}
}

// renamingBroker lets a user be renamed between the engine's answer to Connect and the hub.
type renamingBroker struct {
	chat.Broker
	once   sync.Once
	rename func()
}

func (b *renamingBroker) Attach(r chat.Receiver) chat.Node {
	return &renamingNode{b.Broker.Attach(r), b}
}

type renamingNode struct {
	chat.Node
	b *renamingBroker
}

func (n *renamingNode) Connect(ctx context.Context, userID string) (chat.User, error) {
	u, err := n.Node.Connect(ctx, userID)
	n.b.once.Do(n.b.rename)
	return u, err
}

// A connection that enters just then does not bring the old name back.
func TestRenameDuringAuth(t *testing.T) {
	c := newClock()
	parts := openStore(t, t.TempDir(), c).Parts()
	b := &renamingBroker{Broker: parts.Broker}
	parts.Broker = b
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
	b.rename = func() { h.rename(chat.User{ID: "u_bob", Name: "Robert"}) }
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

// A name that another node has stored reaches every connection of the user here.
func TestRenamedElsewhere(t *testing.T) {
	h, b := newTappedHouse(t, nil)
	bob, ada := h.enter("bob", ""), h.enter("ada", "")
	b.hub.Renamed(chat.User{ID: "u_bob", Name: "Robert"})
	b.hub.Renamed(chat.User{ID: "u_nobody", Name: "Nobody"})
	bob.say(`{"type":"message","receiver_id":"u_ada","content":"x"}`)
	if m := ada.hear(); !strings.Contains(m, `"sender_name":"Robert"`) {
		t.Errorf("ada heard %s", m)
	}
}
