package pin

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Usable lists the cores that this process may run on.
func Usable() (cpus []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for i := range 1024 {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

// Halves divides the usable cores into two sets that have none in common. Of a
// single core both get it.
func Halves() (a, b []int) {
	all := Usable()
	if len(all) < 2 {
		return all, all
	}
	return all[:len(all)/2], all[len(all)/2:]
}

// Parse reads a list as taskset takes it: 0,2-5.
func Parse(s string) (cpus []int, err error) {
	for part := range strings.SplitSeq(s, ",") {
		low, high, ranged := strings.Cut(part, "-")
		from, err1 := strconv.Atoi(low)
		to, err2 := from, error(nil)
		if ranged {
			to, err2 = strconv.Atoi(high)
		}
		if err1 != nil || err2 != nil || from < 0 || to < from || to >= 1024 {
			return nil, fmt.Errorf("%q is no list of cores such as 0,2-5", s)
		}
		for c := from; c <= to; c++ {
			cpus = append(cpus, c)
		}
	}
	return cpus, nil
}

// Check finds cores that there are not, or that this process must not use.
func Check(cpus []int) error { return on(cpus, func() error { return nil }) }

// Start starts a command on some cores, or on all if there are none. A child
// inherits them from the thread that starts it.
func Start(cmd *exec.Cmd, cpus []int) error {
	if len(cpus) == 0 {
		return cmd.Start()
	}
	return on(cpus, cmd.Start)
}

// on calls f on a thread that keeps to some cores.
func on(cpus []int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		var before, set, got unix.CPUSet
		for _, c := range cpus {
			set.Set(c)
		}
		err := unix.SchedGetaffinity(0, &before)
		if err == nil {
			err = unix.SchedSetaffinity(0, &set)
		}
		if err == nil {
			err = unix.SchedGetaffinity(0, &got)
		}
		switch {
		case err != nil:
			err = fmt.Errorf("cores %v: %w", cpus, err)
		case got != set: // the kernel takes those that there are
			err = fmt.Errorf("cores %v: not all of them can be used", cpus)
		default:
			err = f()
		}
		if unix.SchedSetaffinity(0, &before) == nil {
			runtime.UnlockOSThread() // else the thread ends with us
		}
		done <- err
	}()
	return <-done
}
