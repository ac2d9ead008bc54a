package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is the CPU time and memory of a group of processes.
type Usage struct {
	CPU time.Duration `json:"cpu_ns"` // user and system, since they began
	RSS int64         `json:"rss"`    // bytes resident now
}

// Processes names the processes to watch: by process ids, or by a control group.
type Processes struct {
	PIDs   []int  `json:"pids,omitempty"`
	Cgroup string `json:"cgroup,omitempty"` // its directory
}

// Any reports whether there is something to watch.
func (p Processes) Any() bool { return len(p.PIDs) > 0 || p.Cgroup != "" }

// Usage returns what the processes have used until now.
func (p Processes) Usage() (u Usage, err error) {
	if p.Cgroup != "" {
		return cgroupUsage(p.Cgroup)
	}
	for _, pid := range p.PIDs {
		one, err := processUsage(pid)
		if err != nil {
			return u, err
		}
		u.CPU += one.CPU
		u.RSS += one.RSS
	}
	return u, nil
}

// tick is the unit of /proc's CPU times: USER_HZ, 100 on every Linux.
const tick = 10 * time.Millisecond

func processUsage(pid int) (u Usage, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) {
		return u, fmt.Errorf("process %d does not exist (any more)", pid)
	}
	if err != nil {
		return u, err
	}
	if u, err = parseStat(b); err != nil {
		return u, err
	}
	if cpu, ok := cpuClock(pid); ok {
		u.CPU = cpu
	}
	return u, nil
}

// cpuClock reads a process's CPU clock (clock_getcpuclockid(3)), which counts
// nanoseconds where /proc counts ticks.
func cpuClock(pid int) (time.Duration, bool) {
	const scheduler = 2 // what the process's threads ran, together
	var ts unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|scheduler), &ts) != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// parseStat reads /proc/PID/stat. The second field is the program's name in
// parentheses and may hold anything, also parentheses.
func parseStat(b []byte) (u Usage, err error) {
	i := bytes.LastIndexByte(b, ')')
	fields := strings.Fields(string(b[i+1:]))
	if i < 0 || len(fields) < 22 {
		return u, fmt.Errorf("/proc/PID/stat: %d fields after the name, want 22 or more", len(fields))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	pages, err3 := strconv.ParseInt(fields[21], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return u, fmt.Errorf("/proc/PID/stat: %w", err)
	}
	return Usage{time.Duration(user+system) * tick, pages * int64(os.Getpagesize())}, nil
}

// cgroupUsage reads a control group of version 2, or of version 1 with the
// cpuacct controller.
func cgroupUsage(dir string) (u Usage, err error) {
	if b, err := os.ReadFile(filepath.Join(dir, "cpu.stat")); err == nil {
		if us, ok := field(string(b), "usage_usec"); ok {
			u.CPU = time.Duration(us) * time.Microsecond
			u.RSS, err = stat(filepath.Join(dir, "memory.stat"), "anon")
			return u, err
		}
	}
	ns, err := number(filepath.Join(dir, "cpuacct.usage"))
	if err != nil {
		return u, fmt.Errorf("%s is not a control group with CPU accounting: it has neither usage_usec in cpu.stat nor cpuacct.usage", dir)
	}
	u.CPU = time.Duration(ns)
	u.RSS, err = stat(filepath.Join(memoryDir(dir), "memory.stat"), "rss")
	return u, err
}

// memoryDir is where version 1 has the memory controller of a group: beside the
// cpuacct one, which is often named together with cpu.
func memoryDir(dir string) string {
	parts := strings.Split(filepath.ToSlash(dir), "/")
	for i, p := range parts {
		if slices.Contains(strings.Split(p, ","), "cpuacct") {
			parts[i] = "memory"
		}
	}
	return strings.Join(parts, "/")
}

// stat reads a line of a group's memory.stat: what is resident without the page
// cache, which memory.current counts too.
func stat(path, name string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	v, ok := field(string(b), name)
	if !ok {
		return 0, fmt.Errorf("%s has no line %s", path, name)
	}
	return v, nil
}

func number(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// field finds a line "name value" or "name: value kB".
func field(text, name string) (int64, bool) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && strings.TrimSuffix(f[0], ":") == name {
			v, err := strconv.ParseInt(f[1], 10, 64)
			return v, err == nil
		}
	}
	return 0, false
}
