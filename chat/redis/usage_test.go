package redis

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// What is used of the limits at one node is told to the others, and not to itself.
func TestUsage(t *testing.T) {
	p := newPlace(startRedis(t))(t).(*place)
	var heard [2]chan []chat.Usage
	var engines [2]*Engine
	for i := range engines {
		p.Open(t, chat.SystemClock())
		engines[i], heard[i] = p.engine, make(chan []chat.Usage, 10)
		defer engines[i].Close(ctx)
		engines[i].Usage().Receive(func(used []chat.Usage) { heard[i] <- used })
	}
	used := []chat.Usage{
		{UserID: "u_ada", Address: netip.MustParsePrefix("2001:db8::/64"), Requests: 3, Messages: 2, Bytes: 500, Rooms: 1},
		{UserID: "u_bob", Requests: 1},
	}
	engines[0].Usage().Send(used)
	for got := []chat.Usage(nil); len(got) == 0; {
		got = <-heard[1]
		if diff := cmp.Diff(used, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("(-sent +heard):\n%s", diff)
		}
	}
	engines[1].Usage().Send(used[1:])
	<-heard[0]
	if len(heard[0])+len(heard[1]) > 0 {
		t.Error("a node has heard what it has sent itself")
	}
}
