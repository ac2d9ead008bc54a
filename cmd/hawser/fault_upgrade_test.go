//go:build faults && linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// TestFaultUpgrade replaces the server UPGRADES times under CLIENTS clients in rooms, who check everything
// that they hear. Between ordinary upgrades, the new or the old process is killed at a random moment, or hangs for a
// while. If the new one was killed and had not taken over, or one of them hangs, nobody may notice. Otherwise everything
// is gone, as in any crash; then what was acknowledged must be stored.
func TestFaultUpgrade(t *testing.T) { faultUpgrade(t) }

// TestFaultRedisUpgrade is TestFaultUpgrade for a node with Redis.
func TestFaultRedisUpgrade(t *testing.T) { faultUpgrade(t, withRedis(t)) }

// withRedis starts a Redis for the servers of a test. They need the argument.
func withRedis(t *testing.T) (arg string) {
	sh := share(t, "redis://"+redistest.Start(t).Addr)
	t.Setenv("HAWSER_REDIS", sh.url)
	return "--token-key-file=" + sh.key
}

func faultUpgrade(t *testing.T, args ...string) {
	args = append(boundless(), args...)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	upgrades, clients := environNumber("UPGRADES", 100), environNumber("CLIENTS", 10_000)
	var counts struct{ moved, undone, crashed, refused, hung int }
	dir := t.TempDir()
	for counts.moved+counts.undone < upgrades && counts.refused <= upgrades/4 {
		r := launchReplacedIn(t, dir, args...)
		c := newAudience(t, r.service, clients, 100)
		crashed := false
		for counts.moved+counts.undone < upgrades && !crashed {
			switch rnd.IntN(16) {
			default:
				if _, refused := r.trySignal(clients); refused == "" {
					counts.moved++
				} else { // the machine has too much to do, so that what is under way does not end in time
					counts.refused++
					crashed = counts.refused > upgrades/4
				}
			case 0, 1:
				if crashed = r.upgradeAnd(syscall.SIGKILL, time.Duration(rnd.IntN(400))*time.Millisecond, false); !crashed {
					counts.undone++
				}
			case 2:
				crashed = r.upgradeAnd(syscall.SIGKILL, time.Duration(rnd.IntN(400))*time.Millisecond, true)
			case 3:
				counts.hung++
				crashed = r.upgradeAnd(syscall.SIGSTOP, time.Duration(rnd.IntN(400))*time.Millisecond, rnd.IntN(2) == 0)
			}
		}
		if errs := c.stop(); len(errs) > 0 && !crashed {
			t.Errorf("%d clients have noticed something: %v", len(errs), errs[0])
		}
		t.Logf("%d messages said and %d heard, the longest wait was %v", c.said.Load(), c.heard.Load(), c.takeLongest())
		if crashed {
			counts.crashed++
			r = launchReplacedIn(t, dir, args...)
		}
		c.assertStored(r.service)
		syscall.Kill(r.pid, syscall.SIGTERM)
		for range r.lines {
		}
	}
	t.Logf("%d upgrades, %d undone, %d crashes, %d refused, %d with a process that hung", counts.moved, counts.undone, counts.crashed, counts.refused, counts.hung)
	if counts.refused > upgrades/4 {
		t.Error("too many upgrades are refused")
	}
}

// boundless are the settings under which a crowd may come from one address.
func boundless() []string {
	return append([]string{"--limits.connections-per-user=0", "--limits.connections=0", "--limits.http-connections=0", "--limits.http-connections-per-address=0",
		"--limits.address-requests-per-second=0", "--limits.handshakes-per-second=0", "--limits.room-deliveries-per-second=0"}, unlimited...)
}

// hangTime is longer than a step of an upgrade may take.
const hangTime = 7 * time.Second

// upgradeAnd begins an upgrade, and kills the new process after a while, or the old one; or has it hang for hangTime. It
// reports whether no process is left.
func (r *replaced) upgradeAnd(signal syscall.Signal, after time.Duration, old bool) (gone bool) {
	r.t.Helper()
	pid := r.pid
	syscall.Kill(pid, syscall.SIGUSR2)
	child := 0
	for ; child == 0; child = childOf(pid) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(after)
	victim := child
	if old {
		victim = pid
	}
	syscall.Kill(victim, signal)
	if signal == syscall.SIGSTOP {
		over := make(chan struct{})
		time.AfterFunc(hangTime, func() {
			syscall.Kill(victim, syscall.SIGCONT)
			close(over)
		})
		defer func() { <-over }()
	}
	for {
		select {
		case line, ok := <-r.lines:
			switch {
			case !ok: // nobody has the output open any more
				return true
			case strings.Contains(line, "upgrade failed; this process goes on") && (!old || signal == syscall.SIGSTOP):
				return false
			case strings.Contains(line, "serves now, with"):
				fields := strings.Fields(line)
				r.pid, _ = strconv.Atoi(fields[slices.Index(fields, "process")+1])
				if old || signal == syscall.SIGSTOP || r.pid != child {
					return false // the old one had ended, or would have; or the child was one of the runtime's
				}
			}
		case <-time.After(patience):
			for _, pid := range []int{pid, child} { // their goroutines are in the log then
				syscall.Kill(pid, syscall.SIGQUIT)
			}
			r.t.Fatalf("nothing is said after one of the processes %d and %d got %v, the old one: %t", pid, child, signal, old)
		}
	}
}

// childOf returns a child of a process, or 0.
func childOf(pid int) int {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children") // of each thread
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, text := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(text); err == nil {
				return child
			}
		}
	}
	return 0
}

// TestUpgradePause measures how long CLIENTS clients wait during UPGRADES upgrades, while something is said in all
// rooms. It prints the longest wait for an acknowledgement with and without an upgrade, what the server says of its
// pause, and the load of the machine.
func TestUpgradePause(t *testing.T) { upgradePause(t) }

// TestRedisUpgradePause is TestUpgradePause for a node with Redis.
func TestRedisUpgradePause(t *testing.T) { upgradePause(t, withRedis(t)) }

func upgradePause(t *testing.T, args ...string) {
	upgrades, clients := environNumber("UPGRADES", 5), environNumber("CLIENTS", 15_000)
	r := launchReplaced(t, append(boundless(), args...)...)
	c := newAudience(t, r.service, clients, 100)
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%d clients, load %s\n", clients, strings.TrimSpace(string(load)))
	time.Sleep(time.Second)
	for range upgrades {
		c.takeLongest()
		time.Sleep(2 * time.Second)
		usual := c.takeLongest()
		line := r.signal(clients)
		time.Sleep(2 * time.Second)
		_, pause, _ := strings.Cut(line, "pause=")
		fmt.Printf("longest wait %v; the server says it paused %s; without an upgrade, the longest was %v\n", c.takeLongest(), pause, usual)
	}
	if errs := c.stop(); len(errs) > 0 {
		t.Errorf("%d clients have noticed something: %v", len(errs), errs[0])
	}
}

// TestFaultRedisHang replaces a node with Redis UPGRADES times. Each time the new process hangs at a random moment, for
// longer than a node may be silent. Unless it had taken over by then, those who watch at another node see nobody
// leave or come.
func TestFaultRedisHang(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	const ttl, hang = 4 * time.Second, 3 * time.Second
	t.Setenv("HAWSER_REDIS_PRESENCE_TTL", ttl.String())
	_, _, r, other := launchBeside(t)
	if _, _, err := newTalker(r.service, "Ada", "quiet"); err != nil {
		t.Fatal(err)
	}
	after, undone := 0, 0
	upgrades := environNumber("UPGRADES", 20)
	for i := range upgrades {
		watcher, _, err := newTalker(other, fmt.Sprint("Watcher ", i), "quiet", "system", "presence")
		if err != nil {
			t.Fatal(err)
		}
		watcher.awaitJoined(t, fmt.Sprint("Watcher ", i))
		syscall.Kill(r.pid, syscall.SIGUSR2)
		child := 0
		for ; child == 0; child = childOf(r.pid) {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rnd.IntN(150)) * time.Millisecond)
		syscall.Kill(child, syscall.SIGSTOP)
		time.Sleep(hang)
		var upgraded, serves string
		over, refused := false, false
		for resumed := false; !refused && (upgraded == "" || serves == ""); {
			select {
			case line, ok := <-r.lines:
				switch {
				case !ok:
					t.Fatal("no process is left")
				case strings.Contains(line, "upgraded: another process serves now"):
					upgraded, over = line, !resumed
				case strings.Contains(line, "serves now, with"):
					serves = line
				case strings.Contains(line, "upgrade failed; this process goes on"):
					refused = true // it was just asking Redis something
				}
				continue
			default:
			}
			if !resumed {
				resumed = true
				syscall.Kill(child, syscall.SIGCONT)
			}
			time.Sleep(time.Millisecond)
		}
		if !refused {
			r.moved(serves, -1)
		}
		if over { // it was a node that is slow
			after++
			time.Sleep(2 * ttl)
		} else {
			assertQuiet(t, watcher)
		}
		if refused {
			undone++
		}
		watcher.c.nc.Close()
	}
	t.Logf("%d upgrades, of which %d were undone, and %d had a process that hung after the commit", upgrades, undone, after)
}
