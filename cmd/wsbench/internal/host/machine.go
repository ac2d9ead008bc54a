package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine describes the machine of a measurement.
type Machine struct {
	Host    string `json:"host"`
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`  // of the machine
	Usable  int    `json:"usable"` // by this process
	Memory  int64  `json:"memory"` // bytes
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	Virtual bool   `json:"virtual"` // under a hypervisor
}

// Describe looks at the machine.
func Describe() (m Machine) {
	m.Host, _ = os.Hostname()
	m.Go = runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	m.Usable = runtime.NumCPU()
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "processor":
			m.Cores++
		case "model name":
			m.CPU = strings.TrimSpace(value)
		case "flags":
			m.Virtual = strings.Contains(value, " hypervisor")
		}
	}
	b, _ = os.ReadFile("/proc/meminfo")
	kb, _ := field(string(b), "MemTotal")
	m.Memory = kb << 10
	return m
}

func (m Machine) String() string {
	s := fmt.Sprintf("%s, %d cores (%d usable), %.0f GiB, %s, %s", m.CPU, m.Cores, m.Usable, float64(m.Memory)/(1<<30), m.Kernel, m.Go)
	if m.Virtual {
		s += ", virtual"
	}
	return s
}

// Times is the CPU time of the whole machine since it started.
type Times struct {
	Busy  time.Duration `json:"busy_ns"`  // not idle
	Steal time.Duration `json:"steal_ns"` // taken by the hypervisor for others
}

// CPUTimes reads /proc/stat.
func CPUTimes() (t Times) {
	b, _ := os.ReadFile("/proc/stat")
	return parseTimes(string(b))
}

func parseTimes(text string) (t Times) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return t
	}
	at := func(i int) time.Duration {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		return time.Duration(n) * tick
	}
	// user nice system idle iowait irq softirq steal
	t.Busy = at(1) + at(2) + at(3) + at(6) + at(7)
	t.Steal = at(8)
	return t
}

// Kernel is the kernel's memory that connections take, in bytes.
type Kernel struct {
	Slab    int64 `json:"slab"`    // all of its objects, the sockets' among them
	Buffers int64 `json:"buffers"` // of TCP, for data on its way
}

// KernelMemory reads the kernel's memory from /proc.
func KernelMemory() (k Kernel) {
	b, _ := os.ReadFile("/proc/meminfo")
	kb, _ := field(string(b), "Slab")
	k.Slab = kb << 10
	b, _ = os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "TCP:"); ok {
			f := strings.Fields(rest)
			for i := 0; i+1 < len(f); i += 2 {
				if f[i] == "mem" {
					pages, _ := strconv.ParseInt(f[i+1], 10, 64)
					k.Buffers = pages * int64(os.Getpagesize())
				}
			}
		}
	}
	return k
}

// Governors lists the frequency governors in use.
func Governors() (names []string) {
	files, _ := filepath.Glob("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")
	seen := map[string]bool{}
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if g := strings.TrimSpace(string(b)); g != "" && !seen[g] {
			seen[g] = true
			names = append(names, g)
		}
	}
	return names
}

// Overlap reports whether a process may run on any of the given cores, or on any of this
// process's cores if none are given.
func Overlap(cpus []int, pid int) bool {
	var x, y unix.CPUSet
	for _, c := range cpus {
		x.Set(c)
	}
	if len(cpus) == 0 && unix.SchedGetaffinity(0, &x) != nil || unix.SchedGetaffinity(pid, &y) != nil {
		return false
	}
	for i := range 1024 {
		if x.IsSet(i) && y.IsSet(i) {
			return true
		}
	}
	return false
}
