//go:build unix

package redistest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Slots is the number of slots of a cluster.
const Slots = 16384

const masters = 3

// Cluster is a Redis Cluster of three masters and three replicas.
type Cluster struct {
	Servers []*Server // three masters, then the replica of each, in the beginning

	t   testing.TB
	ids map[*Server]string
}

// StartCluster starts a cluster, and returns when every server finds it in order and each
// replica follows its master. A master that does not answer for a second is replaced.
func StartCluster(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	c := &Cluster{t: t, ids: map[*Server]string{}}
	opts = append(slices.Clip(opts), Config("cluster-enabled yes", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0"),
		func(o *options) { o.cluster = true })
	for range 2 * masters {
		c.Servers = append(c.Servers, Start(t, opts...))
	}
	for i, s := range c.Servers {
		c.ids[s] = s.Do("CLUSTER", "MYID").(string)
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i < masters {
			s.Do("CLUSTER", "ADDSLOTSRANGE", i*Slots/masters, (i+1)*Slots/masters-1)
		}
	}
	// All meet all, so that nobody has to wait for gossip.
	for i, s := range c.Servers {
		for _, other := range c.Servers[:i] {
			s.Do("CLUSTER", "MEET", "127.0.0.1", other.Port, other.bus)
		}
	}
	for i, s := range c.Servers[masters:] {
		await(t, "the cluster to meet", c.Servers, func() error {
			_, err := s.Try("CLUSTER", "REPLICATE", c.ids[c.Servers[i]]) // refused until the two have met
			return err
		})
	}
	c.AwaitOK()
	return c
}

// Addrs returns the addresses of all servers.
func (c *Cluster) Addrs() []string { return addrs(c.Servers) }

// AwaitOK waits until every running server finds the cluster in order: all slots are served,
// all agree by which master, and each replica has a link to its master. Servers that are killed
// or paused are left out.
func (c *Cluster) AwaitOK() {
	c.t.Helper()
	await(c.t, "the cluster to be in order", c.Servers, func() error {
		var first string
		for _, s := range c.running() {
			owners, err := c.view(s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Addr, err)
			}
			if first == "" {
				first = owners
			}
			if owners != first {
				return fmt.Errorf("%s has other masters for the slots: %s, not %s", s.Addr, owners, first)
			}
		}
		return nil
	})
}

// view returns who serves which slots, as s sees it, or what is not in order.
func (c *Cluster) view(s *Server) (owners string, err error) {
	v, err := s.Try("CLUSTER", "INFO")
	if err != nil {
		return "", err
	}
	f := fields(v.(string))
	if f["cluster_state"] != "ok" || f["cluster_slots_ok"] != strconv.Itoa(Slots) || f["cluster_known_nodes"] != strconv.Itoa(len(c.Servers)) {
		return "", fmt.Errorf("state %s, %s slots, %s servers", f["cluster_state"], f["cluster_slots_ok"], f["cluster_known_nodes"])
	}
	if v, err = s.Try("INFO", "replication"); err != nil {
		return "", err
	}
	nodes, err := nodesOf(s)
	if err != nil {
		return "", err
	}
	switch f := fields(v.(string)); {
	case f["role"] == "slave" && f["master_link_status"] != "up":
		return "", errors.New("no link to the master")
	case f["role"] == "master" && nodes[c.ids[s]].slots == "":
		return "", errors.New("not a replica yet")
	}
	var list []string
	for id, n := range nodes {
		if n.slots != "" {
			list = append(list, id+" "+n.slots)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "; "), nil
}

// node is a line of CLUSTER NODES.
type node struct{ flags, slots string }

func (n node) master() bool {
	return n.slots != "" && strings.Contains(n.flags, "master") && !strings.Contains(n.flags, "fail")
}

// nodesOf returns the servers as s sees them, by id.
func nodesOf(s *Server) (map[string]node, error) {
	v, err := s.Try("CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	m := map[string]node{}
	for line := range strings.Lines(v.(string)) {
		if f := strings.Fields(line); len(f) >= 8 {
			m[f[0]] = node{flags: f[2], slots: strings.Join(f[8:], " ")}
		}
	}
	return m, nil
}

// Masters returns the servers that are masters with slots, as the first running server sees it.
func (c *Cluster) Masters() (list []*Server) {
	c.t.Helper()
	nodes, err := nodesOf(c.any())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range c.Servers {
		if nodes[c.ids[s]].master() {
			list = append(list, s)
		}
	}
	return list
}

// Owner returns the master that serves a slot.
func (c *Cluster) Owner(slot int) *Server {
	c.t.Helper()
	for _, r := range c.any().Do("CLUSTER", "SLOTS").([]any) {
		f := r.([]any)
		if f[0].(int64) <= int64(slot) && int64(slot) <= f[1].(int64) {
			return c.byID(f[2].([]any)[2].(string))
		}
	}
	c.t.Fatalf("no master serves slot %d", slot)
	return nil
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.t.Helper()
	return int(c.any().Do("CLUSTER", "KEYSLOT", key).(int64))
}

// Replica returns a running replica of a master, or nil.
func (c *Cluster) Replica(master *Server) *Server {
	c.t.Helper()
	for _, line := range c.any().Do("CLUSTER", "REPLICAS", c.ids[master]).([]any) {
		if s := c.byID(strings.Fields(line.(string))[0]); s.up() {
			return s
		}
	}
	return nil
}

// Failover makes the replica of a master the master, and the master its replica, without losing
// anything. It returns the new master when all servers know it.
func (c *Cluster) Failover(master *Server) *Server {
	c.t.Helper()
	replica := c.Replica(master)
	if replica == nil {
		c.t.Fatalf("%s has no replica", master.Addr)
	}
	replica.Do("CLUSTER", "FAILOVER")
	c.AwaitFailover(master)
	return replica
}

// AwaitFailover waits until a replica has become the master in the place of one that was killed
// or paused, and all running servers know it.
func (c *Cluster) AwaitFailover(old *Server) {
	c.t.Helper()
	await(c.t, "a replica to take over", c.Servers, func() error {
		for _, s := range c.running() {
			nodes, err := nodesOf(s)
			if err != nil {
				return err
			}
			if nodes[c.ids[old]].master() {
				return fmt.Errorf("to %s, %s is still a master", s.Addr, old.Addr)
			}
		}
		return nil
	})
	c.AwaitOK()
}

// running returns the servers that are neither killed nor paused.
func (c *Cluster) running() (list []*Server) {
	for _, s := range c.Servers {
		if s.up() {
			list = append(list, s)
		}
	}
	return list
}

// any returns a running server.
func (c *Cluster) any() *Server {
	c.t.Helper()
	list := c.running()
	if len(list) == 0 {
		c.t.Fatal("no server of the cluster runs")
	}
	return list[0]
}

func (c *Cluster) byID(id string) *Server {
	c.t.Helper()
	for s, other := range c.ids {
		if other == id {
			return s
		}
	}
	c.t.Fatalf("no server of the cluster has the id %s", id)
	return nil
}
