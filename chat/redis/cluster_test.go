package redis

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/enginetest"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

func TestContractInCluster(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, newPlace(redistest.StartCluster(t).Addrs()...))
}

// X10: slots move to other servers of a cluster while clients write. Each message is stored once
// and heard once, in order, and the channels are heard at their new servers: no probe helps.
func TestX10SlotMigration(t *testing.T) {
	t.Parallel()
	for name, ack := range map[string]Ack{"in memory": {}, "at a replica": {Replicas: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := redistest.StartCluster(t)
			e := open(t, Config{Addresses: c.Addrs(), ProbeEvery: time.Hour, Ack: ack})
			var rooms []chat.Conversation
			for i := range 6 {
				rooms = append(rooms, chat.RoomConversation(fmt.Sprint("room-", i)))
			}
			_, r := attach(t, e, rooms...)
			end := make(chan struct{})
			var writers sync.WaitGroup
			for _, room := range rooms {
				writers.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-end:
							return
						default:
							insist(t, e, room, fmt.Sprint(i))
						}
					}
				})
			}
			for _, room := range rooms {
				slot := c.Slot(e.store.keys.log(room))
				to := c.Masters()[0]
				if c.Owner(slot) == to {
					to = c.Masters()[1]
				}
				heard := len(r.of(room))
				c.Migrate(slot, slot, to)
				await(t, "what is said after the move", func() bool { return len(r.of(room)) > heard+20 })
			}
			close(end)
			writers.Wait()
			for _, room := range rooms {
				insist(t, e, room, "last")
				want := stored(t, e, room)
				await(t, "everything", func() bool { return slices.Contains(r.of(room), "last") })
				if diff := cmp.Diff(want, r.of(room)); diff != "" || len(r.losses(room)) > 0 {
					t.Errorf("%s: lost %v (-stored +heard):\n%s", room, r.losses(room), diff)
				}
				for i, content := range want[:len(want)-1] {
					if content != fmt.Sprint(i) {
						t.Fatalf("%s: message %d is %s", room, i, content)
					}
				}
			}
		})
	}
}

// A primary of a cluster dies, and its replica takes over. Another connection hears its channels
// from then on, and what nobody heard meanwhile is looked for.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	e := open(t, Config{Addresses: c.Addrs(), PresenceTTL: time.Second, Timeout: time.Second, Ack: Ack{Replicas: 1}, askEvery: 200 * time.Millisecond})
	_, r := attach(t, e, lobby, attic)
	say(t, e, lobby, "1", "2")
	say(t, e, attic, "1")
	owner := c.Owner(c.Slot(e.store.keys.log(lobby)))
	gaps := make(chan time.Time, 100)
	l := newListener(&e.cfg, e.store.client, "x", func(string, string) {}, func(since time.Time) { gaps <- since })
	defer l.close()
	if err := l.owners.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	channel := e.store.keys.channel(lobby)
	if err := l.acquire(ctx, channel); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	owner.Kill()
	c.AwaitFailover(owner)
	// Another connection hears the channel now, to another server. It knows that something may have
	// been missed before it began.
	var since time.Time
	await(t, "the channel to be heard again", func() bool {
		select {
		case since = <-gaps:
		default:
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		s := l.subs[channel]
		return s.heard && s.link.address != owner.Addr && !s.link.interrupted.Load() && !since.IsZero()
	})
	if since.After(died) {
		t.Errorf("what was missed is looked for from %v after the server died on", since.Sub(died))
	}
	owner.Restart() // as a replica
	insist(t, e, lobby, "3")
	insist(t, e, attic, "2")
	await(t, "all", func() bool {
		return slices.Equal(r.of(lobby), []string{"1", "2", "3"}) && slices.Equal(r.of(attic), []string{"1", "2"})
	})
	if got := append(r.losses(lobby), r.losses(attic)...); len(got) > 0 {
		t.Errorf("lost: %v", got)
	}
}
