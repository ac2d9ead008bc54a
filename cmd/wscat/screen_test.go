package main

import (
	"io"
	"testing"
)

// blocked is an input that says nothing until the test is over.
func blocked(t testing.TB) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	return r
}
