package server

import (
	"testing"
	"unsafe"
)

// An idle connection costs little more than its conn.
func TestConnSize(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); unsafe.Sizeof(uintptr(0)) == 8 && n != 192 {
		t.Errorf("a conn has %d bytes; want 192, three cache lines", n)
	}
}
