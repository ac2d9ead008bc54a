package redis

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// run tells Redis what is in the queue.
func (r *roster) run() {
	defer close(r.done)
	failures := 0
	for {
		r.mu.Lock()
		for r.answer(nil); len(r.queue) == 0 && !r.closed; r.answer(nil) {
			r.wake.Wait()
		}
		if r.closed || r.b.ctx.Err() != nil {
			r.closed = true
			r.answer(errClosed)
			r.mu.Unlock()
			return
		}
		if !r.b.gate.try() {
			r.mu.Unlock()
			r.b.gate.wait(r.b.ctx)
			continue
		}
		n := min(len(r.queue), 256)
		changes := r.queue[:n:n]
		if r.queue = r.queue[n:]; len(r.queue) == 0 {
			r.queue = nil
		}
		id := r.id
		r.mu.Unlock()
		changes = latest(changes)
		ctx, cancel := context.WithTimeout(r.b.ctx, r.b.cfg.Timeout)
		err := r.tell(ctx, id, changes)
		cancel()
		r.mu.Lock()
		r.told += n
		if err == nil {
			failures = 0
			r.mu.Unlock()
			r.b.gate.leave()
			continue
		}
		if r.id == id {
			r.told -= n
			r.retry(changes, n)
		}
		r.answer(err)
		r.mu.Unlock()
		r.b.gate.leave()
		failures++
		r.b.pause(failures)
	}
}

// answer answers those who wait: all of them if there is an error. Called with mu held.
func (r *roster) answer(err error) {
	r.waiting = slices.DeleteFunc(r.waiting, func(w waiter) bool {
		ready := err != nil || w.told <= r.told
		if ready {
			w.done <- err
		}
		return ready
	})
}

// latest keeps only the last change of each user in each room. The calls of a batch may be carried out in
// another order, for instance when some of them are repeated.
func latest(changes []presenceChange) []presenceChange {
	left := make([]presenceChange, 0, len(changes))
	at := make(map[move]int, len(changes))
	for _, c := range changes {
		k, before := at[move{c.room, c.user}]
		if !before {
			at[move{c.room, c.user}] = len(left)
			left = append(left, c)
			continue
		}
		c.again, c.doubted = c.again || left[k].again, c.doubted || left[k].doubted
		left[k] = c
	}
	return left
}

// retry puts n changes back that may or may not have been told, as it is now. Called with mu held.
func (r *roster) retry(changes []presenceChange, n int) {
	for i := range changes {
		changes[i].doubted = changes[i].doubted || r.b.failsOver()
	}
	again := latest(append(changes, r.queue...))
	for i := range again {
		c := &again[i]
		if p := r.people[c.user]; p != nil {
			c.here, c.rev, c.as = p.here(c.room), p.rev, p.user
		} else {
			c.here = false
		}
	}
	r.told += n + len(r.queue) - len(again)
	r.queue = again
}

// tell tells Redis some changes.
func (r *roster) tell(ctx context.Context, id string, changes []presenceChange) error {
	r.mu.Lock()
	registered := r.registered
	r.mu.Unlock()
	if !registered {
		if err := r.b.register(ctx, id); err != nil {
			return err
		}
		r.mu.Lock()
		r.registered = r.id == id
		r.mu.Unlock()
	}
	r.noteRecent(changes)
	kept, err := r.b.tellPresence(ctx, id, changes)
	if err != nil {
		return err
	}
	r.noteKept(changes, kept)
	return nil
}

// tellPresence tells Redis who comes to a node, and who goes.
func (b *broker) tellPresence(ctx context.Context, node string, changes []presenceChange) (kept bool, err error) {
	var placed []presenceChange
	var places, online []call
	for _, c := range changes {
		if c.room == "" {
			online = append(online, b.onlineCall(node, c.user, c.here))
		} else {
			placed, places = append(placed, c), append(places, b.placeCall(node, c))
		}
	}
	others := make([]string, len(places))
	kept, err = b.keep(ctx, placeScript, places, func(k int, r rueidis.RedisResult) { others[k], _ = r.ToString() })
	if err != nil {
		return false, err
	}
	corrected, err := b.keep(ctx, placeScript, b.correct(ctx, node, placed, others), ignore)
	if err != nil {
		return false, err
	}
	told, err := b.keep(ctx, onlineScript, online, ignore)
	return kept && corrected && told, err
}

func ignore(int, rueidis.RedisResult) {}

// correct returns the calls that remove presence at dead nodes. They are needed where a user who was
// placed is otherwise at dead nodes only: what these had is not removed yet, or a failover has brought
// it back. Answers leave such a user out, but place.lua takes the user for present, and would tell
// nobody who joins or leaves.
func (b *broker) correct(ctx context.Context, node string, placed []presenceChange, others []string) (calls []call) {
	for k, c := range placed {
		if others[k] == "" {
			continue
		}
		nodes := strings.Split(others[k], ",")
		if b.anyAlive(ctx, nodes) {
			continue
		}
		for _, dead := range nodes {
			calls = append(calls, b.placeCall(dead, presenceChange{room: c.room, user: c.user, as: chat.User{ID: c.user}}))
		}
		if c.here {
			c.again = true
			calls = append(calls, b.placeCall(node, c))
		}
	}
	return calls
}

// How long it takes until Redis is told again what a failover may have lost: at first, and at most.
// What it was told in the last recently, or somewhat longer, it is told again after connections broke.
const (
	surePause = 2 * time.Second
	longPause = time.Minute
	recently  = time.Minute
)

// noteRecent takes note of changes that Redis is being told, to tell them again if connections break.
// It comes before the call: the break may be noticed before the answer is read, and the answer may be
// that of a master that was replaced.
func (r *roster) noteRecent(changes []presenceChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.recent[0] == nil || now.Sub(r.turned) >= recently {
		r.recent[0], r.recent[1], r.turned = make(map[[2]string]bool), r.recent[0], now
	}
	for _, c := range changes {
		r.recent[0][[2]string{c.room, c.user}] = true
	}
}

// noteKept takes note of changes that Redis was told. If they are not kept, it is told again after a
// while, as it is then.
func (r *roster) noteKept(changes []presenceChange, kept bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept {
		r.doubts = 0
		return
	}
	first := len(r.unsure) == 0
	if first {
		r.unsure = make(map[[2]string]bool)
	}
	for _, c := range changes {
		r.unsure[[2]string{c.room, c.user}] = true
	}
	if first {
		time.AfterFunc(min(surePause<<min(r.doubts, 5), longPause), r.tellUnsure)
		r.doubts++
	}
}

// tellUnsure has Redis told again what it may not keep.
func (r *roster) tellUnsure() {
	r.mu.Lock()
	defer r.mu.Unlock()
	unsure := r.unsure
	r.unsure = nil
	r.tellAgain(unsure, false)
}

// tellRecent has Redis told again what it was told lately, as a failover may have lost that.
func (r *roster) tellRecent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := make(map[[2]string]bool)
	for _, some := range r.recent {
		maps.Copy(again, some)
	}
	maps.Copy(again, r.unsure)
	r.tellAgain(again, r.b.failsOver())
}

// failsOver reports whether another server may become the master.
func (b *broker) failsOver() bool {
	return b.listener.owners != nil || b.cfg.Ack.Replicas > 0 || b.cfg.Master != ""
}

// tellAgain has Redis told where people are now. Called with mu held.
func (r *roster) tellAgain(of map[[2]string]bool, doubted bool) {
	for key := range of {
		p := r.people[key[1]]
		if p == nil {
			p = &person{user: chat.User{ID: key[1]}}
		}
		before := len(r.queue)
		r.push(key[0], p)
		for i := before; i < len(r.queue); i++ {
			r.queue[i].doubted = doubted
		}
	}
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// state is what place.lua is told of a user in a room.
func (c presenceChange) state() string {
	switch {
	case c.here && (c.again || c.doubted):
		return "2"
	case c.doubted:
		return "3"
	}
	return flag(c.here)
}

func (b *broker) onlineCall(node, user string, here bool) call {
	return call{
		keys: []string{b.keys.online(user), b.keys.ofNode(partition(user), node)},
		args: []string{node, user, flag(here)},
	}
}

func (b *broker) placeCall(node string, c presenceChange) call {
	conversation := chat.RoomConversation(c.room)
	return call{
		keys: []string{b.keys.present(conversation), b.keys.presence(conversation), b.keys.ofNode(partition(string(conversation)), node), b.keys.channel(conversation), b.keys.moves(partition(string(conversation)))},
		args: []string{node, c.user, c.room, c.state(), strconv.FormatInt(c.rev, 10), strconv.FormatInt(c.as.Created, 10), c.as.Name},
	}
}

// flush waits until Redis was told everything that is in the queue now.
func (r *roster) flush(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	w := waiter{r.pushed, make(chan error, 1)}
	r.waiting = append(r.waiting, w)
	r.wake.Signal()
	r.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaveAll ends everybody's presence, and the roster. If Redis cannot be told, it finds out that
// the node is dead.
func (r *roster) leaveAll(ctx context.Context) {
	r.mu.Lock()
	for id, p := range r.people {
		delete(r.people, id)
		rooms := p.rooms
		p.rooms, p.connections = nil, 0
		for room := range rooms {
			r.push(room, p)
		}
		r.push("", p)
	}
	registered := r.registered || len(r.queue) > 0
	id := r.id
	if r.b.gate.isShut() { // another process has told Redis, and the goroutine ends with the broker
		r.closed = true
		r.wake.Signal()
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	err := r.flush(ctx)
	r.mu.Lock()
	r.closed = true
	r.wake.Signal()
	r.mu.Unlock()
	<-r.done
	if err == nil && registered {
		r.b.unregister(ctx, id)
	}
}

// pause waits before something is tried again that has failed.
func (b *broker) pause(failures int) {
	select {
	case <-time.After(jitter(50 * time.Millisecond << min(failures, 5))):
	case <-b.ctx.Done():
	}
}
