package redis

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/hawser-ws/hawser/chat"
)

// usage carries what was used of the limits to the other nodes, over the control channel: "u",
// the sender's id, and the list in JSON.
type usage struct {
	b       *broker
	receive atomic.Pointer[func([]chat.Usage)]
}

// maxUsages is how many go into one message.
const maxUsages = 1000

// Usage returns the way on which the nodes tell each other what was used of the limits, for
// chat.NewSharedLimiter.
func (e *Engine) Usage() chat.UsageExchange { return e.broker.usage }

// Receive implements chat.UsageExchange.
func (u *usage) Receive(f func([]chat.Usage)) { u.receive.Store(&f) }

// Send implements chat.UsageExchange. A process that is frozen, or has handed over its node, tells nothing.
func (u *usage) Send(used []chat.Usage) {
	if u.b.gate.isShut() {
		return
	}
	for len(used) > 0 {
		n := min(len(used), maxUsages)
		text, err := json.Marshal(used[:n])
		if err != nil {
			panic("chat/redis: internal error: " + err.Error())
		}
		used = used[n:]
		u.b.ring(u.b.client.B().Spublish().Channel(u.b.keys.controlChannel()).Message("u" + u.b.listener.id + " " + string(text)).Build())
	}
}

// hear takes what another node has sent.
func (u *usage) hear(text string) error {
	from, list, _ := strings.Cut(text, " ")
	f := u.receive.Load()
	if f == nil || from == u.b.listener.id {
		return nil
	}
	var used []chat.Usage
	if err := json.Unmarshal([]byte(list), &used); err != nil {
		return fmt.Errorf("%w: what was used of the limits: %w", errReply, err)
	}
	(*f)(used)
	return nil
}
