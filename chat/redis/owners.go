package redis

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"
)

// owners knows which server of a cluster owns which slot, by its address.
type owners struct {
	client *bounded
	slots  [Partitions]uint16 // of the partitions

	mu      sync.Mutex
	servers map[uint16]string // Guarded by mu. By slot.
}

func newOwners(client *bounded) *owners {
	o := &owners{client: client, servers: make(map[uint16]string)}
	for p := range o.slots {
		cmd := client.B().Get().Key("{" + strconv.Itoa(p) + "}").Build()
		o.slots[p] = cmd.Slot()
	}
	return o
}

// refresh asks the cluster. If it does not answer, what was known stays.
func (o *owners) refresh(ctx context.Context) error {
	ranges, err := o.client.anywhere(ctx, func(b rueidis.Builder) rueidis.Completed { return b.ClusterSlots().Build() }).ToArray()
	if err != nil {
		return err
	}
	servers := make(map[uint16]string)
	for _, r := range ranges {
		fields, err := r.ToArray()
		if err != nil || len(fields) < 3 {
			return errReply
		}
		from, e1 := fields[0].AsInt64()
		to, e2 := fields[1].AsInt64()
		server, e3 := fields[2].ToArray()
		if e1 != nil || e2 != nil || e3 != nil || len(server) < 2 {
			return errReply
		}
		host, _ := server[0].ToString()
		port, _ := server[1].AsInt64()
		address := net.JoinHostPort(host, strconv.FormatInt(port, 10))
		for slot := from; slot <= to; slot++ {
			servers[uint16(slot)] = address
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.servers = servers
	return nil
}

// all are the servers.
func (o *owners) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(o.servers)))
}

// of is the server that owns a channel, or any key of a partition.
func (o *owners) of(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, _ := strings.Cut(rest, "}")
	p, err := strconv.Atoi(tag)
	if err != nil || p < 0 || p >= Partitions {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.servers[o.slots[p]]
}

// partitionBeside is a partition that a server owns in another slot than a key's; -1 if there is none.
func (o *owners) partitionBeside(address, key string) int {
	cmd := o.client.B().Get().Key(key).Build()
	slot := cmd.Slot()
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, other := range o.slots {
		if o.servers[other] == address && other != slot {
			return p
		}
	}
	return -1
}

func (o *owners) has(address string) bool { return o.partitionAt(address) >= 0 }

// partitionAt is a partition that a server owns; -1 if there is none.
func (o *owners) partitionAt(address string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, slot := range o.slots {
		if o.servers[slot] == address {
			return p
		}
	}
	return -1
}
