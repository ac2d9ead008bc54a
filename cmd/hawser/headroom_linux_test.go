package main

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// resident is how many bytes of this process's own memory are in RAM.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := bytes.Cut(b, []byte("RssAnon:"))
	if !found {
		t.Fatal("/proc/self/status has no RssAnon")
	}
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// The collector waits longer, the memory is not used for it, and who tunes the collector
// is not disturbed.
func TestHeadroom(t *testing.T) {
	kept := headroom
	for _, v := range []string{"GOGC=50", "GOMEMLIMIT=100MiB"} {
		headroom = nil
		if reserveHeadroom([]string{"HOME=/", v}); headroom != nil {
			t.Errorf("%s does not count", v)
		}
	}
	headroom = kept // memory that was given back and is allocated again is touched
	runtime.GC()
	before := resident(t)
	reserveHeadroom([]string{"HOME=/", "GOGC="})
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if grown := resident(t) - before; grown > headroomSize/2 {
		t.Errorf("%d bytes became resident", grown)
	}
	if m.NextGC < 2*headroomSize {
		t.Errorf("the collector begins at %d bytes", m.NextGC)
	}
	runtime.KeepAlive(headroom)
}
