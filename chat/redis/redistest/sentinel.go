//go:build unix

package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Sentinel is a master with replicas, watched by three sentinels.
type Sentinel struct {
	Name      string    // the master's name, as the sentinels know it
	Servers   []*Server // the first one is the master in the beginning
	Sentinels []*Server

	t testing.TB
}

// StartSentinel starts a master, its replicas and three sentinels, of which two must agree. It
// returns when the replicas follow the master, and the sentinels know everything. A master that
// does not answer for a second, or for DownAfter, is replaced.
func StartSentinel(t testing.TB, opts ...Option) *Sentinel {
	t.Helper()
	g := &Sentinel{Name: "hawser", t: t}
	o := collect(opts)
	for i := range 1 + o.replicas {
		all := opts
		if i > 0 {
			all = append(slices.Clip(opts), Config(fmt.Sprintf("replicaof 127.0.0.1 %d", g.Servers[0].Port)))
		}
		g.Servers = append(g.Servers, Start(t, all...))
	}
	for range 3 {
		g.Sentinels = append(g.Sentinels, g.sentinel(o))
	}
	for _, s := range g.Sentinels {
		// A sentinel that sees a new master without having heard of it turns it back into a replica
		// after four publish periods. So a failover must be noticed, by INFO, well within them. And a
		// replica whose last INFO is older than five ping periods is not good enough to be promoted:
		// while the master is down, a sentinel asks for it once a second, whatever the info-period.
		ms := o.downAfter.Milliseconds()
		s.Do("SENTINEL", "DEBUG", "info-period", 200, "ping-period", max(ms/10, 400), "ask-period", 100, "publish-period", ms/2,
			"election-timeout", ms, "min-link-reconnect-period", 500, "tilt-period", 1000)
	}
	g.awaitSentinels(o.replicas)
	g.AwaitReplicas()
	return g
}

func (g *Sentinel) sentinel(o *options) *Server {
	conf := fmt.Sprintf("bind 127.0.0.1\nprotected-mode no\nsentinel monitor %s 127.0.0.1 %d 2\n", g.Name, g.Servers[0].Port)
	conf += fmt.Sprintf("sentinel down-after-milliseconds %[1]s %[2]d\nsentinel failover-timeout %[1]s %[2]d\nsentinel parallel-syncs %[1]s 2\n", g.Name, o.downAfter.Milliseconds())
	if o.password != "" {
		conf += fmt.Sprintf("sentinel auth-pass %s %s\n", g.Name, o.password)
	}
	return start(g.t, &options{}, "sentinel.conf", conf, "--sentinel")
}

// awaitSentinels waits until the sentinels know each other and the replicas.
func (g *Sentinel) awaitSentinels(replicas int) {
	g.t.Helper()
	await(g.t, "the sentinels", g.Sentinels, func() error {
		for _, s := range g.Sentinels {
			v, err := s.Try("SENTINEL", "MASTER", g.Name)
			if err != nil {
				return err
			}
			m := pairs(v)
			if m["num-other-sentinels"] != "2" || m["num-slaves"] != strconv.Itoa(replicas) || m["flags"] != "master" {
				return fmt.Errorf("%s: other sentinels %s, replicas %s, flags %s", s.Addr, m["num-other-sentinels"], m["num-slaves"], m["flags"])
			}
		}
		return nil
	})
}

// AwaitReplicas waits until all running servers but the master follow it, and all sentinels know
// that they do. Without this, there may be nothing yet that can replace the master.
func (g *Sentinel) AwaitReplicas() {
	g.t.Helper()
	await(g.t, "the replicas", slices.Concat(g.Sentinels, g.Servers), func() error {
		master, err := g.master()
		if err != nil {
			return err
		}
		for _, sentinel := range g.Sentinels {
			if !sentinel.up() {
				continue
			}
			v, err := sentinel.Try("SENTINEL", "REPLICAS", g.Name)
			if err != nil {
				return err
			}
			following := map[string]bool{}
			for _, replica := range v.([]any) {
				m := pairs(replica)
				following[m["ip"]+":"+m["port"]] = m["flags"] == "slave" && m["master-link-status"] == "ok" && m["master-port"] == strconv.Itoa(master.Port)
			}
			for _, s := range g.Servers {
				if s != master && s.up() && !following[s.Addr] {
					return fmt.Errorf("to the sentinel %s, the replica %s does not follow %s", sentinel.Addr, s.Addr, master.Addr)
				}
			}
		}
		return nil
	})
}

// Addrs returns the addresses of the sentinels.
func (g *Sentinel) Addrs() []string { return addrs(g.Sentinels) }

func addrs(servers []*Server) (list []string) {
	for _, s := range servers {
		list = append(list, s.Addr)
	}
	return list
}

// Master returns the server that all sentinels call the master, and that is one. It waits while
// they do not agree.
func (g *Sentinel) Master() *Server {
	g.t.Helper()
	return g.awaitMaster("a master", func(*Server) error { return nil })
}

// Failover makes another server the master, with everything that the master had answered. It
// returns the new one when all sentinels know it, and the others follow it.
func (g *Sentinel) Failover() *Server {
	g.t.Helper()
	old, first := g.Master(), g.Sentinels[0]
	asked := -1
	await(g.t, "a failover", slices.Concat(g.Sentinels, g.Servers), func() error {
		// A sentinel gives up when a step takes longer than its limit. It only logs that.
		aborts := bytes.Count(tail(first.Log, 1000), []byte("-failover-abort"))
		if aborts > asked {
			// Refused while no replica looks good to the sentinel, or soon after another failover.
			if _, err := first.Try("SENTINEL", "FAILOVER", g.Name); err != nil {
				return err
			}
			asked = aborts
		}
		if now, err := g.master(); err != nil || now == old {
			return fmt.Errorf("the sentinels still name %s (%v)", old.Addr, err)
		}
		return nil
	})
	g.AwaitReplicas()
	return g.Master()
}

// AwaitFailover waits until a server other than old is the master: old was killed, for example.
// It returns the new master when all sentinels know it.
func (g *Sentinel) AwaitFailover(old *Server) *Server {
	g.t.Helper()
	return g.awaitMaster("another master than "+old.Addr, func(s *Server) error {
		if s == old {
			return errors.New("the sentinels still name " + old.Addr)
		}
		return nil
	})
}

func (g *Sentinel) awaitMaster(what string, check func(*Server) error) (master *Server) {
	g.t.Helper()
	await(g.t, what, slices.Concat(g.Sentinels, g.Servers), func() error {
		s, err := g.master()
		if err != nil {
			return err
		}
		if err := check(s); err != nil {
			return err
		}
		master = s
		return nil
	})
	return master
}

// master returns the master if all running sentinels agree.
func (g *Sentinel) master() (*Server, error) {
	var named []string
	for _, s := range g.Sentinels {
		if !s.up() {
			continue
		}
		v, err := s.Try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", g.Name)
		if err != nil {
			return nil, err
		}
		if host, ok := v.([]any); ok {
			named = append(named, fmt.Sprintf("%v:%v", host...))
		}
	}
	slices.Sort(named)
	if named = slices.Compact(named); len(named) != 1 {
		return nil, errors.New("the sentinels name " + strings.Join(named, ", "))
	}
	i := slices.IndexFunc(g.Servers, func(s *Server) bool { return s.Addr == named[0] })
	if i < 0 {
		return nil, errors.New("the sentinels name " + named[0] + ", which is none of the servers")
	}
	if !g.Servers[i].up() { // a paused one would let us wait for its answer
		return nil, fmt.Errorf("the sentinels name %s, which is down", named[0])
	}
	if role, err := g.Servers[i].Role(); role != "master" {
		return nil, fmt.Errorf("%s is a %s (%v)", named[0], role, err)
	}
	return g.Servers[i], nil
}

// pairs makes a map of a list of names and values.
func pairs(v any) map[string]string {
	m := map[string]string{}
	list, _ := v.([]any)
	for p := range slices.Chunk(list, 2) {
		m[fmt.Sprint(p[0])] = fmt.Sprint(p[len(p)-1])
	}
	return m
}
