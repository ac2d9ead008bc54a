package enginetest

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// tardy is a Broker that reports changes of memberships, and ends of sessions, as late as an engine may, more than once,
// and in another order.
type tardy struct {
	chat.Broker

	mu     sync.Mutex
	random *rand.Rand // Guarded by mu.
}

// Attach implements chat.Broker.
func (b *tardy) Attach(r chat.Receiver) chat.Node {
	late := &tardyReceiver{Receiver: r, broker: b}
	return &tardyNode{b.Broker.Attach(late), late}
}

type tardyNode struct {
	chat.Node
	receiver *tardyReceiver
}

// Detach implements chat.Node.
func (n *tardyNode) Detach() {
	n.Node.Detach()
	n.receiver.detach()
}

type tardyReceiver struct {
	chat.Receiver
	broker *tardy

	mu       sync.Mutex
	detached bool // Guarded by mu, which is held during late reports.
}

func (r *tardyReceiver) detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.detached = true
}

// Member implements chat.Receiver.
func (r *tardyReceiver) Member(userID, room string, joined bool) {
	r.report(func() { r.Receiver.Member(userID, room, joined) })
}

// Ended implements chat.Receiver.
func (r *tardyReceiver) Ended(userID, sessionID string, why chat.Ending) {
	r.report(func() { r.Receiver.Ended(userID, sessionID, why) })
}

// report makes a report once or twice, now or later.
func (r *tardyReceiver) report(tell func()) {
	r.broker.mu.Lock()
	var delays []time.Duration
	for range 1 + r.broker.random.IntN(2) {
		delays = append(delays, time.Duration(r.broker.random.IntN(4))*500*time.Microsecond)
	}
	r.broker.mu.Unlock()
	for _, d := range delays {
		if d == 0 {
			tell()
			continue
		}
		time.AfterFunc(d, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.detached {
				tell()
			}
		})
	}
}
