package storetest

import (
	"fmt"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// Folder is a place on disk for one store.
type Folder interface {
	// Open opens the store, which is new the first time. Close is called before it is
	// opened again, and the store is not used after that.
	Open(t *testing.T) chat.Store
	Close(t *testing.T)
}

// Run runs every test of the contract, each on a new folder.
func Run(t *testing.T, newFolder func(t *testing.T) Folder) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Folder)
	}{
		{"Seq", testSeq},
		{"S11 refs", testRefs},
		{"RefsExpire", testRefsExpire},
		{"RefsClockBack", testRefsClockBack},
		{"RefsManyWrongClocks", testRefsManyWrongClocks},
		{"S14 history by seq", testHistoryBySeq},
		{"S14 history by time", testHistoryByTime},
		{"S14 history by time, clock set back", testHistoryClockBack},
		{"S14 locate", testLocate},
		{"RoundTrip", testRoundTrip},
		{"Rooms", testRooms},
		{"Peers", testPeers},
		{"Users", testUsers},
		{"NamesThatLookAlike", testLooks},
		{"Reopen", testReopen},
		{"Concurrent", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t)
			defer f.Close(t)
			test.run(t, f)
		})
	}
}

const (
	start = int64(1754474400000)
	hour  = int64(3600_000)
)

var (
	lobby  = chat.RoomConversation("lobby")
	attic  = chat.RoomConversation("attic")
	adaBob = chat.PrivateConversation("u_ada", "u_bob")
)

// message is a message that a test tells from others by its content.
func message(sender, content string, ts int64) *chat.Message {
	return &chat.Message{Sender: sender, SenderName: "Name of " + sender, Timestamp: "1754474400.25",
		Content: content, Metadata: []byte("{}"), ServerTS: ts}
}

func withRef(m *chat.Message, ref string) *chat.Message {
	m.Ref = ref
	return m
}

func commit(t *testing.T, s chat.Store, batch ...chat.Entry) []chat.Entry {
	t.Helper()
	if err := s.Commit(batch); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return batch
}

// fill commits n messages to c, one every ten ms from start on.
func fill(t *testing.T, s chat.Store, c chat.Conversation, n int) []chat.Entry {
	t.Helper()
	batch := make([]chat.Entry, n)
	for i := range batch {
		batch[i] = chat.Entry{Conversation: c, Message: message("u_ada", fmt.Sprint(i+1), start+10*int64(i))}
	}
	return commit(t, s, batch...)
}

func contents(page chat.Page) []string {
	var c []string
	for _, m := range page.Messages {
		c = append(c, m.Content)
	}
	return c
}
