package redis

import (
	"fmt"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// An engine opens while one primary of a cluster, and its replica, do not answer, whichever it is. It
// says so, serves the conversations of the others, lets nobody in before it knows who is banned, and
// recovers by itself.
func TestOpenWithoutOnePrimary(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, redistest.Config("cluster-require-full-coverage no"))
	cfg := Config{Addresses: c.Addrs(), Timeout: time.Second}
	first := open(t, cfg)
	if err := first.bans.Ban(ctx, chat.Ban{UserID: "u_eve", Reason: "spam"}); err != nil {
		t.Fatal(err)
	}
	rooms := make(map[string]chat.Conversation) // by the address of their server
	for i := 0; len(rooms) < 3; i++ {
		room := chat.RoomConversation(fmt.Sprint("room-", i))
		rooms[c.Owner(c.Slot(first.store.keys.log(room))).Addr] = room
	}
	first.Close(ctx)
	needed := map[string]bool{}
	for _, key := range []string{first.store.keys.control(), first.store.keys.epoch(), first.store.keys.nodes()} {
		needed[c.Owner(c.Slot(key)).Addr] = true
	}
	for _, away := range c.Masters() {
		t.Run(fmt.Sprintf("%s needed %t", away.Addr, needed[away.Addr]), func(t *testing.T) {
			replica := c.Replica(away)
			away.Pause()
			replica.Pause()
			resume := func() { away.Resume(); replica.Resume() }
			defer resume()
			e := open(t, cfg)
			_, err := e.store.Epoch(ctx)
			if (err != nil) != needed[away.Addr] {
				t.Errorf("the epoch: %v", err)
			}
			if needed[away.Addr] && e.Healthy() == nil {
				t.Error("it is healthy")
			}
			for address, room := range rooms {
				if address != away.Addr {
					insist(t, e, room, "without "+away.Addr)
				} else if r := try(e, room, "too early", "ref"); r.Err == nil {
					t.Errorf("stored %+v at a server that does not answer", r.Change)
				}
			}
			resume()
			await(t, "the engine to recover", func() bool { _, err := e.store.Epoch(ctx); return err == nil && e.Healthy() == nil })
			if _, banned := e.bans.OfUser("u_eve"); !banned {
				t.Error("the ban is not known")
			}
			for _, room := range rooms {
				insist(t, e, room, "with "+away.Addr)
			}
			c.AwaitOK()
		})
	}
}
