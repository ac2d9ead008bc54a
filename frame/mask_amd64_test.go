package frame

func init() {
	twins["portable"] = maskPortable
	twins["SSE2"] = func(p []byte, key uint32) { maskSSE2(&p[0], len(p), key) }
	if useAVX2 {
		twins["AVX2"] = func(p []byte, key uint32) { maskAVX2(&p[0], len(p), key) }
	}
}
