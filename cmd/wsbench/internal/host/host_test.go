package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	// The name holds what could be taken for fields.
	const line = "4321 (a ) R (1 2) S 1 4321 4321 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 5 0 100 99999 1000 18446744073709551615 1\n"
	got, err := parseStat([]byte(line))
	want := Usage{3 * time.Second, 1000 * int64(os.Getpagesize())}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	for i := range len(line) - 40 {
		if _, err := parseStat([]byte(line[:i])); err == nil {
			t.Errorf("cut at %d is taken", i)
		}
	}
}

func TestParseTimes(t *testing.T) {
	got := parseTimes("cpu  100 10 200 5000 30 4 6 70 0 0\ncpu0 1 2 3\n")
	if want := (Times{Busy: 3200 * time.Millisecond, Steal: 700 * time.Millisecond}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What this process uses, both ways.
func TestOwnUsage(t *testing.T) {
	u, err := Processes{PIDs: []int{os.Getpid()}}.Usage()
	if err != nil || u.RSS < 1<<20 {
		t.Errorf("%+v, %v", u, err)
	}
	if s := Self(); s.RSS < 1<<20 || s.Memory.Slab == 0 || s.Machine.Busy == 0 {
		t.Errorf("%+v", s)
	}
	_, err = Processes{PIDs: []int{1 << 30}}.Usage()
	if err == nil || !strings.Contains(err.Error(), "process 1073741824 does not exist") {
		t.Errorf("no such process: %v", err)
	}
}

func TestCgroups(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"version 2": {"cpu.stat": "usage_usec 1500000\nuser_usec 1\n", "memory.current": "999999\n", "memory.stat": "anon 4096\nfile 1\n"},
		"version 1": {"cpuacct.usage": "1500000000\n", "memory.stat": "cache 1\nrss 4096\n"},
	} {
		dir := t.TempDir()
		for f, text := range files {
			if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Processes{Cgroup: dir}.Usage()
		if want := (Usage{1500 * time.Millisecond, 4096}); got != want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := (Processes{Cgroup: t.TempDir()}).Usage(); err == nil || !strings.Contains(err.Error(), "not a control group") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestMemoryDir(t *testing.T) {
	for dir, want := range map[string]string{
		"/sys/fs/cgroup/cpu,cpuacct/cpuacct-app": "/sys/fs/cgroup/memory/cpuacct-app",
		"/sys/fs/cgroup/cpuacct/app":             "/sys/fs/cgroup/memory/app",
		"/tmp/app":                               "/tmp/app",
	} {
		if got := memoryDir(dir); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}

// The CPU clock of a process counts finer than ticks, and what its ticks count.
func TestCPUClock(t *testing.T) {
	one, ok := cpuClock(os.Getpid())
	two, ok2 := cpuClock(os.Getpid())
	if !ok || !ok2 || one <= 0 || two <= one || two%tick == 0 && one%tick == 0 {
		t.Errorf("%v, then %v", one, two)
	}
	if d, ok := cpuClock(1<<22 + 1); ok {
		t.Errorf("no such process: %v", d)
	}
}

func TestLongestPause(t *testing.T) {
	then := Own{Pauses: []Pause{{time.Millisecond, 3}, {time.Second, 1}}}
	now := Own{Pauses: []Pause{{time.Millisecond, 3}, {2 * time.Millisecond, 1}, {time.Second, 1}}}
	if got := now.LongestPause(&then); got != 2*time.Millisecond {
		t.Errorf("%v", got)
	}
	if got := now.LongestPause(&now); got != 0 {
		t.Errorf("no new one: %v", got)
	}
}

func TestDescribe(t *testing.T) {
	m := Describe()
	if m.Cores == 0 || m.Usable == 0 || m.Memory == 0 || !strings.HasPrefix(m.Kernel, "Linux ") {
		t.Errorf("%+v", m)
	}
	if !Overlap(nil, os.Getpid()) || Overlap([]int{1023}, os.Getpid()) {
		t.Error("this process shares cores with itself, and not the 1024th")
	}
}
