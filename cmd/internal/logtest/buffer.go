// Package logtest is for tests that read what a program logs while it runs.
package logtest

import (
	"bytes"
	"sync"
)

// Buffer collects what is written to it. Its methods may be called from any
// goroutine.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // Guarded by mu.
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what has been written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
