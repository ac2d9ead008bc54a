//go:build faults && linux

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// environNumber returns a number from the environment.
func environNumber(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// connectionsPerUser is how many connections a user of an audience has: less than chat.MaxSessions.
const connectionsPerUser = 50

// audience is many clients in rooms. One in each room says something all the time; each checks everything that it
// hears: of each room all messages, each once, in order.
type audience struct {
	t     testing.TB
	begin chan struct{} // closed when all are connected
	end   chan struct{}
	conns []*chatClient
	done  sync.WaitGroup

	heard, said atomic.Int64
	longest     atomic.Int64  // time from a message to its acknowledgement, in ns; takeLongest begins anew
	pace        time.Duration // between two messages of a user

	mu sync.Mutex
	// Guarded by mu.
	errs  []error
	acked map[string]map[uint64]string // what was acknowledged, by room and seq
}

// roomOf is the room that a user of an audience is in, and talks in.
func roomOf(user int) string { return fmt.Sprint("audience", user) }

// newAudience connects n clients, whose users are in two rooms each. All users together say about so much per second.
func newAudience(t testing.TB, s *service, n, perSecond int) *audience {
	users := (n + connectionsPerUser - 1) / connectionsPerUser
	c := &audience{t: t, begin: make(chan struct{}), end: make(chan struct{}), acked: make(map[string]map[uint64]string)}
	c.pace = time.Duration(users) * time.Second / time.Duration(perSecond)
	var opening sync.WaitGroup
	slots := make(chan struct{}, 16)
	for user := range users {
		slots <- struct{}{}
		opening.Go(func() {
			defer func() { <-slots }()
			if err := c.enter(s, user, users, min(connectionsPerUser, n-user*connectionsPerUser)); err != nil {
				c.fail(fmt.Errorf("connecting: %w", err))
			}
		})
	}
	opening.Wait()
	if len(c.errs) > 0 {
		t.Fatal(c.errs[0])
	}
	close(c.begin)
	return c
}

// enter connects a user so many times.
func (c *audience) enter(s *service, user, users, times int) error {
	token, _ := s.guest(fmt.Sprint("Listener ", user))
	for i := range times {
		k, _, err := enter(s.ws("/ws"), token)
		if err != nil {
			return err
		}
		k.buf = make([]byte, 2<<10)
		if i == 0 {
			for _, room := range []string{roomOf(user), roomOf((user + 1) % users)} {
				k.send(object{"type": "join", "receiver_id": room, "ref": "join"})
				if o, err := k.until("ack"); err != nil || o.text("ref") != "join" {
					return fmt.Errorf("join: %v, %w", o, err)
				}
			}
		}
		c.mu.Lock()
		c.conns = append(c.conns, k)
		c.mu.Unlock()
		c.done.Go(func() {
			defer k.nc.Close()
			if err := c.listen(k, i == 0, roomOf(user)); err != nil {
				c.fail(err)
			}
		})
	}
	return nil
}

func (c *audience) fail(err error) {
	select {
	case <-c.end:
		return // its connection was closed
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}

// listen checks what a client hears. With talks, it also says something in a room, again and again: always when
// what it said before is acknowledged, and some time has passed.
func (c *audience) listen(k *chatClient, talks bool, room string) error {
	seqs := make(map[string]uint64)
	acks := make(chan object, 1)
	if talks {
		c.done.Go(func() { c.talk(k, room, acks) })
	}
	for {
		o, err := k.next()
		if err != nil {
			return err
		}
		switch o.text("type") {
		case "group":
			at, seq := o.text("receiver_id"), o.number("seq")
			if before := seqs[at]; before != 0 && seq != before+1 {
				return fmt.Errorf("in %s, message %d comes after %d", at, seq, before)
			}
			seqs[at] = seq
			c.heard.Add(1)
		case "ack":
			acks <- o
		default:
			return fmt.Errorf("unexpected: %v", o)
		}
	}
}

func (c *audience) talk(k *chatClient, room string, acks <-chan object) {
	select {
	case <-c.begin:
	case <-c.end:
		return
	}
	time.Sleep(rand.N(c.pace)) // not all at once
	for n := 1; ; n++ {
		ref := fmt.Sprint(room, " ", n)
		began := time.Now()
		if k.send(object{"type": "group", "receiver_id": room, "content": ref, "ref": ref}) != nil {
			return
		}
		var ack object
		select {
		case ack = <-acks:
		case <-c.end:
			return
		}
		if ack.text("ref") != ref {
			c.fail(fmt.Errorf("%q is acknowledged with %v", ref, ack))
		}
		c.note(time.Since(began))
		c.said.Add(1)
		c.mu.Lock()
		if c.acked[room] == nil {
			c.acked[room] = make(map[uint64]string)
		}
		c.acked[room][ack.number("seq")] = ref
		c.mu.Unlock()
		select {
		case <-time.After(c.pace):
		case <-c.end:
			return
		}
	}
}

func (c *audience) note(took time.Duration) {
	for {
		longest := c.longest.Load()
		if int64(took) <= longest || c.longest.CompareAndSwap(longest, int64(took)) {
			return
		}
	}
}

// takeLongest returns the longest wait since the last call.
func (c *audience) takeLongest() time.Duration { return time.Duration(c.longest.Swap(0)) }

// stop ends the clients, and returns what they have noticed until now.
func (c *audience) stop() []error {
	c.mu.Lock()
	errs := c.errs
	c.mu.Unlock()
	close(c.end)
	for _, k := range c.conns {
		k.nc.Close()
	}
	c.done.Wait()
	return errs
}

// assertStored checks that everything that was acknowledged is in the history.
func (c *audience) assertStored(s *service) {
	c.t.Helper()
	token, _ := s.guest("Historian")
	k, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		c.t.Fatal(err)
	}
	defer k.nc.Close()
	n := 0
	for room, acked := range c.acked {
		stored := make(map[uint64]string)
		for after, more := uint64(0), true; more; {
			k.send(object{"type": "history", "receiver_id": room, "after_seq": after, "limit": 100})
			o, err := k.until("history")
			if err != nil {
				c.t.Fatal(err)
			}
			b, _ := json.Marshal(o["messages"])
			var messages []object
			json.Unmarshal(b, &messages)
			for _, m := range messages {
				after = m.number("seq")
				stored[after] = m.text("content")
			}
			more, _ = o["has_more"].(bool)
		}
		for seq, content := range acked {
			if n++; stored[seq] != content {
				c.t.Errorf("%q was acknowledged as message %d of %s, which is %q", content, seq, room, stored[seq])
			}
		}
	}
	c.t.Logf("%d acknowledged messages are stored", n)
}
