//go:build faults && linux

package server

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// ending is how a client's connection ended.
type ending struct {
	server byte // the first byte of the first message that it received; 0: it received none
	code   wsproto.CloseCode
	cause  string // empty if a Close frame ended it that a program asked for
}

func endingOf(c LoopConn, err error) ending {
	e := ending{code: wsproto.CloseAbnormal, cause: fmt.Sprint(err)}
	var closed *CloseError
	if errors.As(err, &closed) {
		e.code, e.cause = closed.Code, ""
		switch {
		case closed.Err != nil:
			e.cause = closed.Err.Error()
		case closed.Reason != "":
			e.cause = closed.Reason
		}
		if closed.Local {
			e.cause += " (the client's own decision)"
		}
	}
	e.server, _ = c.Value().(byte)
	return e
}

// ended is how many connections of one server ended in one way, and when: the times are in
// milliseconds since 1970, because several processes compare them.
type ended struct {
	Server      byte
	Code        wsproto.CloseCode
	Cause       string
	N           int
	First, Last int64
}

// endCounts counts ended connections. The zero value is empty.
type endCounts map[ending]ended

func (es endCounts) add(e ending, at time.Time) {
	es.merge(ended{e.server, e.code, e.cause, 1, at.UnixMilli(), at.UnixMilli()})
}

func (es endCounts) merge(more ended) {
	key := ending{more.Server, more.Code, more.Cause}
	if sum, ok := es[key]; ok {
		more.N += sum.N
		more.First, more.Last = min(sum.First, more.First), max(sum.Last, more.Last)
	}
	es[key] = more
}

// of returns how many ended with a code.
func (es endCounts) of(code wsproto.CloseCode) (n int) {
	for key, e := range es {
		if key.code == code {
			n += e.N
		}
	}
	return n
}

func (es endCounts) all() (n int) {
	for _, e := range es {
		n += e.N
	}
	return n
}

// describe says how the connections ended of each server of which some ended otherwise than
// with the code, and when, counted from the first of its connections that ended.
func (es endCounts) describe(code wsproto.CloseCode) string {
	first, failed := map[byte]int64{}, map[byte]bool{}
	for key, e := range es {
		if at, ok := first[key.server]; !ok || e.First < at {
			first[key.server] = e.First
		}
		failed[key.server] = failed[key.server] || key.code != code
	}
	var b strings.Builder
	for _, e := range slices.SortedFunc(maps.Values(es), func(a, b ended) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.First, b.First))
	}) {
		of := fmt.Sprintf("server %d", e.Server)
		if e.Server == 0 {
			of = "without a message"
		}
		if failed[e.Server] {
			fmt.Fprintf(&b, "\n%s: %d ended with %d %q, %d to %d ms after the first", of, e.N, e.Code, e.Cause, e.First-first[e.Server], e.Last-first[e.Server])
		}
	}
	return b.String()
}

// tcpCounters are the kernel's, of all of TCP on this machine, by name.
func tcpCounters() map[string]int64 {
	counters := map[string]int64{}
	for _, file := range []string{"/proc/net/netstat", "/proc/net/snmp"} {
		b, _ := os.ReadFile(file)
		lines := strings.Split(string(b), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			if len(names) == 0 || names[0] != "TcpExt:" && names[0] != "Tcp:" {
				continue
			}
			for j := 1; j < min(len(names), len(values)); j++ {
				var n int64
				fmt.Sscan(values[j], &n)
				counters[names[j]] = n
			}
		}
	}
	b, _ := os.ReadFile("/proc/net/softnet_stat")
	for line := range strings.Lines(string(b)) {
		var processed, dropped int64
		fmt.Sscanf(line, "%x %x", &processed, &dropped)
		counters["BacklogOfProcessorDropped"] += dropped
	}
	return counters
}

// troublesSince names the counters that have grown, and tell why TCP lost something or gave up.
func troublesSince(before map[string]int64) string {
	now := tcpCounters()
	var found []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		for _, word := range []string{"Abort", "Drop", "Overflow", "Timeouts", "Pressure", "Retrans", "Resets", "OutRsts", "Prune"} {
			if n := now[name] - before[name]; n > 0 && strings.Contains(name, word) {
				found = append(found, fmt.Sprintf("%s %d", name, n))
				break
			}
		}
	}
	return strings.Join(found, ", ")
}
