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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// attacker is one address that does harm, again and again.
type attacker struct {
	from  netip.Addr
	place target
	tries *atomic.Int64
	token string   // of the guest that it is at present
	users []string // the ids of all guests that it has been
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

// attack is what a process of attackers is told to do, in JSON.
type attack struct {
	Server    target
	First     uint32 // the first address
	Addresses int
	Kinds     []int // indexes into attacks
	For       time.Duration
}

// attackVariable holds the attack, for the process that is to carry it out.
const attackVariable = "ATTACK"

// attackFrom starts a process of attackers. It waits until that is ready; the function that it
// returns lets it begin, waits until it has ended, and returns what was tried.
func (b *battlefield) attackFrom(a attack) func() attackReport {
	text, err := json.Marshal(a)
	if err != nil {
		b.t.Fatal(err)
	}
	// They share a core with the people, who come first there.
	cmd := exec.Command("nice", "-n", "10", os.Args[0], "-test.run=^TestAttackers$")
	cmd.Env = append(os.Environ(), attackVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		b.t.Fatalf("the attackers say %q: %v", line, err)
	}
	return func() (r attackReport) {
		in.Close()
		if err := json.NewDecoder(lines).Decode(&r); err != nil {
			b.t.Fatalf("the attackers' report: %v", err)
		}
		return r
	}
}

// attackReport is what a process of attackers has done.
type attackReport struct {
	Tries int64
	Users [][]string // of each attacker, the guests that it has been
}

// TestAttackers is the process of the attackers, where TestAttack starts it.
func TestAttackers(t *testing.T) {
	text := os.Getenv(attackVariable)
	if text == "" {
		t.Skip("a part of TestAttack")
	}
	var a attack
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	raiseDescriptors()
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	json.NewEncoder(os.Stdout).Encode(a.carryOut(t.Context()))
}

// carryOut has each address try twice a second.
func (a *attack) carryOut(ctx context.Context) attackReport {
	ctx, cancel := context.WithTimeout(ctx, a.For)
	defer cancel()
	r := attackReport{Users: make([][]string, a.Addresses)}
	var tries atomic.Int64
	var wg sync.WaitGroup
	for i := range a.Addresses {
		one := &attacker{from: addressOf(a.First + uint32(i)), place: a.Server, tries: &tries}
		attempt := attacks[a.Kinds[i%len(a.Kinds)]].attempt
		wg.Go(func() {
			time.Sleep(rand.N(time.Second))
			for ctx.Err() == nil {
				next := time.NewTimer(500 * time.Millisecond)
				tries.Add(1)
				attempt(ctx, one)
				select {
				case <-next.C:
				case <-ctx.Done():
				}
			}
			r.Users[i] = one.users
		})
	}
	wg.Wait()
	<-ctx.Done()
	r.Tries = tries.Load()
	return r
}

func addressOf(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// target is the server's host and port.
type target string

func dialer(from netip.Addr) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), KeepAlive: -1}
	return d.DialContext
}

// guest makes a guest.
func (s target) guest(ctx context.Context, from netip.Addr) (token, id string, err error) {
	client := http.Client{Transport: &http.Transport{DialContext: dialer(from), DisableKeepAlives: true}, Timeout: 10 * time.Second}
	name := "Guest " + strconv.FormatUint(rand.Uint64(), 36)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+string(s)+"/api/guest", strings.NewReader(`{"name":"`+name+`"}`))
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

func (s target) dial(ctx context.Context, from netip.Addr) (*wsconn.Conn, error) {
	return wsconn.Dial(ctx, "ws://"+string(s)+"/ws", &wsconn.DialOptions{DialContext: dialer(from), CloseTimeout: 100 * time.Millisecond})
}

// login connects as a user.
func (s target) login(ctx context.Context, from netip.Addr, token string) (*wsconn.Conn, error) {
	c, err := s.dial(ctx, from)
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

// again logs in as a guest, and as another one if that guest is banned.
func (a *attacker) again(ctx context.Context) (*wsconn.Conn, error) {
	if a.token != "" {
		if c, err := a.place.login(ctx, a.from, a.token); err == nil {
			return c, nil
		}
	}
	token, id, err := a.place.guest(ctx, a.from)
	if err != nil {
		return nil, err
	}
	a.token, a.users = token, append(a.users, id)
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
		c, err := dial(ctx, "tcp", string(a.place))
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
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/.git/%x", a.place, rand.Uint32()), nil)
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
