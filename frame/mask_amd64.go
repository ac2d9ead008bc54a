package frame

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// vectorMin is the length from which maskVector is used: below it, the call
// costs more than the vectors save.
const vectorMin = 64

// avx512Min is the length from which 64-byte vectors win over 32-byte ones.
const avx512Min = 512

var (
	useAVX2   = cpu.X86.HasAVX2
	useAVX512 = cpu.X86.HasAVX512F
)

func maskVector(p []byte, key uint32) {
	switch {
	case useAVX512 && len(p) >= avx512Min:
		maskAVX512(unsafe.SliceData(p), len(p), key)
	case useAVX2:
		maskAVX2(unsafe.SliceData(p), len(p), key)
	default:
		maskSSE2(unsafe.SliceData(p), len(p), key)
	}
}

// Each masks the n bytes at p. n is at least twice the vector's length: 128,
// 64 and 32 bytes.

//go:noescape
func maskAVX512(p *byte, n int, key uint32)

//go:noescape
func maskAVX2(p *byte, n int, key uint32)

//go:noescape
func maskSSE2(p *byte, n int, key uint32)
