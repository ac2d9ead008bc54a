//go:build faults && linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
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

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// attacker is one address that does harm, again and again.
type attacker struct {
	from  netip.Addr
	place *battlefield
	tries *atomic.Int64
	token string // of the guest that it is at present
}

// attacks are what strangers do, by name. Each is one attempt, which ends when the server has
// stopped it or ctx is done.
var attacks = []struct {
	name, stopped string
	attempt       func(ctx context.Context, a *attacker)
}{
	{"floods", "rate limits; then the user is banned, then the address of such guests", flood},
	{"slow peers", "the time for a request; then the address is banned", slowPeer},
	{"scans", "404; then the address is banned", scan},
	{"log-in guessing", "token_refused; then the address is banned", guess},
	{"junk rooms", "too_many_new_rooms; then the user is banned, then the address of such guests", junkRooms},
	{"connection storms", "nothing at first; then the address is banned", storm},
}

// TestAttack: a server on one core, a thousand well-behaved people, and a thousand addresses that
// attack it in every way at once. Every attacker ends banned and none of the people, whose
// messages take less than 100 ms (p99).
func TestAttack(t *testing.T) {
	raiseDescriptors()
	b := newBattlefield(t)
	b.gather(1000)
	base := b.phase("nobody attacks", 10*time.Second, nil, 0)
	t.Logf("%-20s %8s %9s %9s %8s %12s   %s", "attack", "tries/s", "p50", "p99", "CPU", "CPU a try", "what stops it")
	t.Log(base.line("none", "", base))
	for i, a := range attacks {
		got := b.phase(a.name, 30*time.Second, []int{i}, 100)
		t.Log(got.line(a.name, a.stopped, base))
	}
	all := make([]int, len(attacks))
	for i := range all {
		all[i] = i
	}
	got := b.phase("all at once", 60*time.Second, all, 1000)
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
	addr   string
	nextIP uint32

	mu        sync.Mutex
	latencies []time.Duration // of the phase; guarded by mu
	attackers []netip.Addr
	people    []string // user ids
	lost      atomic.Int64
}

func newBattlefield(t *testing.T) *battlefield {
	cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bans.allow=", "--log-level=warn")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	s := launchCommand(t, cmd)
	pin(t, cmd.Process.Pid, 0)
	pin(t, os.Getpid(), 1)
	return &battlefield{t: t, s: s, addr: strings.TrimPrefix(s.url, "http://"), nextIP: 127<<24 | 3<<16}
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

func dialer(from netip.Addr) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), KeepAlive: -1}
	return d.DialContext
}

// guest makes a guest.
func (b *battlefield) guest(ctx context.Context, from netip.Addr) (token, id string, err error) {
	client := http.Client{Transport: &http.Transport{DialContext: dialer(from), DisableKeepAlives: true}, Timeout: 10 * time.Second}
	name := "Guest " + strconv.FormatUint(rand.Uint64(), 36)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.s.url+"/api/guest", strings.NewReader(`{"name":"`+name+`"}`))
	if err != nil {
		return "", "", err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return "", "", err
	}
	defer answer.Body.Close()
	var got struct {
		Token  string `json:"token"`
		UserID string `json:"user_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		return "", "", err
	}
	if got.Token == "" {
		return "", "", fmt.Errorf("the guest is refused: %s", answer.Status)
	}
	return got.Token, got.UserID, nil
}

func (b *battlefield) dial(ctx context.Context, from netip.Addr) (*wsconn.Conn, error) {
	return wsconn.Dial(ctx, "ws://"+b.addr+"/ws", &wsconn.Options{DialOptions: handshake.DialOptions{DialContext: dialer(from)}, CloseTimeout: 100 * time.Millisecond})
}

// login connects as a user.
func (b *battlefield) login(ctx context.Context, from netip.Addr, token string) (*wsconn.Conn, error) {
	c, err := b.dial(ctx, from)
	if err != nil {
		return nil, err
	}
	err = c.Write(ctx, frame.Text, []byte(`{"type":"auth","token":"`+token+`"}`))
	if err == nil {
		var p []byte
		if _, p, err = c.Read(ctx); err == nil && !strings.Contains(string(p), `"auth_ok"`) {
			err = fmt.Errorf("auth: %s", p)
		}
	}
	if err != nil {
		c.CloseNow()
		return nil, err
	}
	return c, nil
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
	token, id, err := b.guest(ctx, from)
	if err != nil {
		return nil, "", err
	}
	c, err := b.login(ctx, from, token)
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

// phase has so many addresses attack for some time, twice a second each.
func (b *battlefield) phase(name string, d time.Duration, kinds []int, addresses int) outcome {
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	b.mu.Lock()
	b.latencies = nil
	b.mu.Unlock()
	cpu, begin := b.cpu(), time.Now()
	var tries atomic.Int64
	var wg sync.WaitGroup
	for i := range addresses {
		b.nextIP++
		a := &attacker{from: netip.AddrFrom4([4]byte{byte(b.nextIP >> 24), byte(b.nextIP >> 16), byte(b.nextIP >> 8), byte(b.nextIP)}), place: b, tries: &tries}
		b.attackers = append(b.attackers, a.from)
		attempt := attacks[kinds[i%len(kinds)]].attempt
		wg.Go(func() {
			time.Sleep(rand.N(time.Second))
			for ctx.Err() == nil {
				next := time.NewTimer(500 * time.Millisecond)
				tries.Add(1)
				attempt(ctx, a)
				select {
				case <-next.C:
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
	<-ctx.Done()
	o := outcome{tries: tries.Load(), took: time.Since(begin), cpu: b.cpu() - cpu, rss: b.rss()}
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

// verdict reads from the log who was banned.
func (b *battlefield) verdict() {
	log := b.s.log.String()
	banned := map[string]bool{}
	for _, m := range regexp.MustCompile(`kind=ban subject=(\S+)`).FindAllStringSubmatch(log, -1) {
		banned[m[1]] = true
	}
	missed := 0
	for _, a := range b.attackers {
		if !banned[a.String()+"/32"] {
			if missed++; missed <= 10 {
				b.t.Errorf("%s attacked and is not banned", a)
			}
		}
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
	if !strings.Contains(log, "kind=attack") {
		b.t.Error("nobody was told of an attack")
	}
	b.t.Logf("%d attackers, %d of them not banned; %d people, %d of them disconnected; %d bans in all", len(b.attackers), missed, len(b.people), b.lost.Load(), len(banned))
}

// again logs in as a guest, and as another one if that guest is banned.
func (a *attacker) again(ctx context.Context) (*wsconn.Conn, error) {
	if a.token != "" {
		if c, err := a.place.login(ctx, a.from, a.token); err == nil {
			return c, nil
		}
	}
	var err error
	if a.token, _, err = a.place.guest(ctx, a.from); err != nil {
		return nil, err
	}
	return a.place.login(ctx, a.from, a.token)
}

// say sends messages until the server ends the connection.
func (a *attacker) say(ctx context.Context, pause time.Duration, text func(i int) string) {
	c, err := a.again(ctx)
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}()
	for i := 0; ctx.Err() == nil; i++ {
		if c.Write(ctx, frame.Text, []byte(text(i))) != nil {
			return
		}
		a.tries.Add(1)
		if pause > 0 {
			time.Sleep(pause)
		}
	}
}

// flood sends a hundred messages a second.
func flood(ctx context.Context, a *attacker) {
	a.say(ctx, 10*time.Millisecond, func(i int) string {
		return fmt.Sprintf(`{"type":"group","receiver_id":"flood-%s","content":"%d"}`, a.from, i)
	})
}

// junkRooms makes one room after the other.
func junkRooms(ctx context.Context, a *attacker) {
	a.say(ctx, 200*time.Millisecond, func(i int) string {
		return fmt.Sprintf(`{"type":"group","receiver_id":"junk-%x","content":"junk"}`, rand.Uint64())
	})
}

// slowPeer opens connections that never finish their request.
func slowPeer(ctx context.Context, a *attacker) {
	dial := dialer(a.from)
	for range 5 {
		c, err := dial(ctx, "tcp", a.place.addr)
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: h\r\nX-Slow:")
		a.tries.Add(1)
	}
	select {
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
	}
}

func scan(ctx context.Context, a *attacker) {
	client := http.Client{Transport: &http.Transport{DialContext: dialer(a.from), DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for range 5 {
		a.tries.Add(1)
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/.git/%x", a.place.s.url, rand.Uint32()), nil)
		answer, err := client.Do(r)
		if err != nil {
			return
		}
		answer.Body.Close()
	}
}

func guess(ctx context.Context, a *attacker) {
	if c, err := a.place.login(ctx, a.from, fmt.Sprintf("%x", rand.Uint64())); err == nil {
		c.CloseNow()
	}
}

// storm opens connections and closes them at once.
func storm(ctx context.Context, a *attacker) {
	for range 5 {
		a.tries.Add(1)
		c, err := a.place.dial(ctx, a.from)
		if err != nil {
			return
		}
		c.CloseNow()
	}
}
