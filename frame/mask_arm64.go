package frame

import "unsafe"

// vectorMin is the length from which maskVector is used.
const vectorMin = 64

func maskVector(p []byte, key uint32) { maskNEON(unsafe.SliceData(p), len(p), key) }

// maskNEON masks the n bytes at p; n must be at least 32.
//
//go:noescape
func maskNEON(p *byte, n int, key uint32)
