//go:build faults && linux

package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

// number returns a number from the environment.
func number(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// TestFaultUpgrade replaces the program UPGRADES times under CLIENTS clients that check every
// byte. Between ordinary upgrades, the new process is killed at a random moment. If that was
// before it took over, nobody may notice. If it was later, everything is gone, as in
// any crash, and the test begins again with a new program.
func TestFaultUpgrade(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	upgrades, clients := number("UPGRADES", 100), number("CLIENTS", 2000)
	var counts struct{ moved, undone, crashed int }
	for counts.moved+counts.undone < upgrades {
		u := launchUpgraded(t, "--deflate", "--loops", "2")
		m := newMass(t, u.url, clients, seed)
		for counts.moved+counts.undone < upgrades {
			if r.IntN(4) > 0 {
				u.upgrade(clients)
				counts.moved++
				continue
			}
			if took := u.upgradeAndKill(time.Duration(r.IntN(40)) * time.Millisecond); took {
				counts.crashed++
				break
			}
			counts.undone++
		}
		crashed := u.pid == 0
		for _, err := range m.stop() {
			if !crashed {
				t.Error(err)
			}
		}
		t.Logf("%d echoes, longest %v", m.echoes.Load(), time.Duration(m.longest.Load()))
	}
	t.Logf("%d upgrades, %d undone, %d crashes after the commit", counts.moved, counts.undone, counts.crashed)
}

// upgradeAndKill begins an upgrade, and kills the new process after a while. It reports whether
// that had taken over; then no process is left.
func (u *upgraded) upgradeAndKill(after time.Duration) (took bool) {
	u.t.Helper()
	old := u.pid
	syscall.Kill(old, syscall.SIGUSR2)
	waitFor(u.t, func() bool { return childOf(old) > 0 || !alive(old) })
	time.Sleep(after)
	child := childOf(old)
	if child > 0 {
		syscall.Kill(child, syscall.SIGKILL)
	}
	for {
		line := u.line("")
		switch {
		case strings.Contains(line, "upgrade failed; this process goes on"):
			return false
		case strings.Contains(line, "serves now, with"):
			// It was quicker: kill what serves.
			fields := strings.Fields(line)
			pid, _ := strconv.Atoi(fields[slices.Index(fields, "process")+1])
			syscall.Kill(pid, syscall.SIGKILL)
			u.pid = 0
			return true
		case strings.Contains(line, "upgraded: another process serves now") && child > 0:
			u.pid = 0 // it was killed between the commit and the line that says so
			return true
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

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// mass is many clients.
type mass struct {
	echoes  atomic.Int64
	longest atomic.Int64 // echo, in ns
	end     chan struct{}
	done    sync.WaitGroup
	mu      sync.Mutex
	errs    []error // Guarded by mu.
}

func newMass(t *testing.T, url string, n int, seed uint64) *mass {
	m := &mass{end: make(chan struct{})}
	for i := range n {
		o := &handshake.DialOptions{}
		if i%2 == 1 {
			o.Deflate = &handshake.DeflateOptions{ServerContextTakeover: i%4 == 1}
		}
		e := newEchoer(t, url, seed+uint64(i), o)
		e.buf = make([]byte, 4<<10)
		e.most = 2000
		m.done.Go(func() {
			defer e.nc.Close()
			for {
				pause := time.Duration(e.r.IntN(2*n)) * time.Millisecond // about 1,000 messages a second
				select {
				case <-m.end:
					return
				case <-time.After(pause):
				}
				began := time.Now()
				if err := e.once(); err != nil {
					m.mu.Lock()
					m.errs = append(m.errs, err)
					m.mu.Unlock()
					return
				}
				m.echoes.Add(1)
				for took := int64(time.Since(began)); ; {
					if longest := m.longest.Load(); took <= longest || m.longest.CompareAndSwap(longest, took) {
						break
					}
				}
			}
		})
	}
	return m
}

// stop ends the clients, and returns what they have noticed.
func (m *mass) stop() []error {
	close(m.end)
	m.done.Wait()
	return m.errs
}
