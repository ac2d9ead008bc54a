//go:build faults && linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// TestAttack: a server on one core, a thousand well-behaved people, and a thousand addresses that
// attack it in every way at once. Every attacker ends banned, as the user or as the address that it
// is, and none of the people, whose messages take less than 100 ms (p99).
func TestAttack(t *testing.T) {
	raiseDescriptors()
	b := newBattlefield(t)
	b.gather(1000)
	base := b.phase(30*time.Second, nil, 0)
	t.Logf("%-20s %8s %9s %9s %8s %12s   %s", "attack", "tries/s", "p50", "p99", "CPU", "CPU a try", "what stops it")
	t.Log(base.line("none", "", base))
	for i, a := range attacks {
		got := b.phase(45*time.Second, []int{i}, 100)
		t.Log(got.line(a.name, a.stopped, base))
	}
	all := make([]int, len(attacks))
	for i := range all {
		all[i] = i
	}
	got := b.phase(60*time.Second, all, 1000)
	t.Log(got.line("all at once", "", base))
	if p99 := got.percentile(0.99); p99 > 100*time.Millisecond {
		t.Errorf("p99 of well-behaved people is %v", p99)
	}
	b.verdict()
}

// battlefield is the server and who is there.
type battlefield struct {
	t      *testing.T
	s      *service
	o      *office
	server target
	nextIP uint32

	mu        sync.Mutex
	latencies []time.Duration // of the phase; guarded by mu
	attackers []subjects
	people    []string // user ids
	lost      atomic.Int64
}

// subjects are whom a ban of an attacker can name.
type subjects struct {
	attack  string
	address netip.Addr
	users   []string
}

func newBattlefield(t *testing.T) *battlefield {
	cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bans.allow=")
	o := newOffice(t)
	cmd.Args = append(cmd.Args, o.flags()...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	s := launchCommand(t, cmd)
	pin(t, cmd.Process.Pid, 0)
	pin(t, os.Getpid(), 1)
	return &battlefield{t: t, s: s, o: o, server: target(strings.TrimPrefix(s.url, "http://")), nextIP: 127<<24 | 3<<16 | 1}
}

// pin has all threads of a process run on one processor, if there is one more.
func pin(t *testing.T, pid, cpu int) {
	var set unix.CPUSet
	set.Set(cpu)
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, th := range threads {
		tid, _ := strconv.Atoi(th.Name())
		if err := unix.SchedSetaffinity(tid, &set); err != nil {
			t.Logf("processor %d: %v", cpu, err)
		}
	}
}

func raiseDescriptors() {
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	limit.Cur = limit.Max
	unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// gather has people come: 20 in each room, each of whom says something every 20 s.
func (b *battlefield) gather(n int) {
	ctx, cancel := context.WithCancel(b.t.Context())
	b.t.Cleanup(cancel)
	var ready sync.WaitGroup
	slots := make(chan struct{}, 20)
	for i := range n {
		ready.Add(1)
		go func() {
			from := netip.AddrFrom4([4]byte{127, 2, byte(i / 250), byte(1 + i%250)})
			slots <- struct{}{}
			c, id, err := b.person(ctx, from)
			<-slots
			ready.Done()
			if err != nil {
				b.t.Errorf("person %d: %v", i, err)
				return
			}
			b.mu.Lock()
			b.people = append(b.people, id)
			b.mu.Unlock()
			b.live(ctx, c, fmt.Sprint("room-", i/20))
		}()
	}
	ready.Wait()
}

func (b *battlefield) person(ctx context.Context, from netip.Addr) (*wsconn.Conn, string, error) {
	token, id, err := b.server.guest(ctx, from)
	if err != nil {
		return nil, "", err
	}
	c, err := b.server.login(ctx, from, token)
	return c, id, err
}

var sentAt = regexp.MustCompile(`"content":"at (\d+) of ([a-z0-9]+)"`)

// live says something now and then, and notes how long it takes until it comes back.
func (b *battlefield) live(ctx context.Context, c *wsconn.Conn, room string) {
	defer c.CloseNow()
	me := strconv.FormatUint(rand.Uint64(), 36)
	go func() {
		for ctx.Err() == nil {
			pause := time.NewTimer(10*time.Second + rand.N(20*time.Second))
			select {
			case <-pause.C:
			case <-ctx.Done():
				return
			}
			text := fmt.Sprintf(`{"type":"group","receiver_id":%q,"content":"at %d of %s"}`, room, time.Now().UnixNano(), me)
			if c.Write(ctx, frame.Text, []byte(text)) != nil {
				return
			}
		}
	}()
	for {
		_, p, err := c.Read(ctx)
		if err != nil {
			if ctx.Err() == nil {
				b.lost.Add(1)
				b.t.Errorf("a well-behaved person is disconnected: %v", err)
			}
			return
		}
		if m := sentAt.FindSubmatch(p); m != nil && string(m[2]) == me {
			ns, _ := strconv.ParseInt(string(m[1]), 10, 64)
			b.mu.Lock()
			b.latencies = append(b.latencies, time.Since(time.Unix(0, ns)))
			b.mu.Unlock()
		}
	}
}

// outcome is what a phase came to.
type outcome struct {
	latencies []time.Duration
	tries     int64
	took, cpu time.Duration
	rss       int64 // bytes
}

func (o *outcome) percentile(p float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[int(p*float64(len(o.latencies)-1))]
}

func (o *outcome) line(name, stopped string, base outcome) string {
	each := "-"
	if o.tries > 0 {
		extra := o.cpu.Seconds()/o.took.Seconds() - base.cpu.Seconds()/base.took.Seconds()
		each = time.Duration(extra * o.took.Seconds() / float64(o.tries) * 1e9).Round(time.Microsecond).String()
	}
	return fmt.Sprintf("%-20s %8.0f %9v %9v %7.0f%% %12s   %s (%d messages, %d MiB)", name, float64(o.tries)/o.took.Seconds(), o.percentile(0.5).Round(100*time.Microsecond),
		o.percentile(0.99).Round(100*time.Microsecond), 100*o.cpu.Seconds()/o.took.Seconds(), each, stopped, len(o.latencies), o.rss>>20)
}

// phase has so many addresses attack for some time, from a process of their own: what the
// people notice is what the server makes them wait, not what their neighbours do in this process.
func (b *battlefield) phase(d time.Duration, kinds []int, addresses int) outcome {
	var carryOut func() attackReport
	if addresses > 0 {
		carryOut = b.attackFrom(attack{Server: b.server, First: b.nextIP, Addresses: addresses, Kinds: kinds, For: d})
	}
	b.mu.Lock()
	b.latencies = nil
	b.mu.Unlock()
	o := outcome{}
	cpu, begin := b.cpu(), time.Now()
	if carryOut != nil {
		r := carryOut()
		o.tries = r.Tries
		for i, users := range r.Users {
			b.attackers = append(b.attackers, subjects{attacks[kinds[i%len(kinds)]].name, addressOf(b.nextIP), users})
			b.nextIP++
		}
	} else {
		time.Sleep(d)
	}
	o.took, o.cpu, o.rss = time.Since(begin), b.cpu()-cpu, b.rss()
	b.mu.Lock()
	o.latencies = slices.Sorted(slices.Values(b.latencies))
	b.mu.Unlock()
	return o
}

// cpu is the processor's time that the server has used.
func (b *battlefield) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.s.cmd.Process.Pid))
	if err != nil {
		b.t.Fatal(err)
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// rss is how much memory the server uses, in bytes.
func (b *battlefield) rss() int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", b.s.cmd.Process.Pid))
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kib, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// verdict looks at who is banned.
func (b *battlefield) verdict() {
	var bans []chat.Ban
	if err := json.Unmarshal([]byte(b.o.run(b.s, "bans", "--json")), &bans); err != nil {
		b.t.Fatal(err)
	}
	banned := map[string]bool{}
	for _, one := range bans {
		banned[one.Subject()] = true
	}
	missed := map[string]int{}
	for _, a := range b.attackers {
		if !banned[a.address.String()+"/32"] && !slices.ContainsFunc(a.users, func(id string) bool { return banned[id] }) {
			missed[a.attack]++
		}
	}
	if len(missed) > 0 {
		b.t.Errorf("attackers that are not banned: %v", missed)
	}
	for _, id := range b.people {
		if banned[id] {
			b.t.Errorf("%s, who is well-behaved, is banned", id)
		}
	}
	for subject := range banned {
		if strings.HasPrefix(subject, "127.2.") {
			b.t.Errorf("%s is banned, where well-behaved people are", subject)
		}
	}
	if !strings.Contains(b.s.log.String(), "kind=attack") {
		b.t.Error("nobody was told of an attack")
	}
	b.t.Logf("%d attackers; %d people, %d of them disconnected; %d bans in all", len(b.attackers), len(b.people), b.lost.Load(), len(bans))
}
