//go:build !amd64 && !arm64

package frame

// vectorMin is the length from which maskVector is used.
const vectorMin = 64

func maskVector(p []byte, key uint32) { maskPortable(p, key) }
