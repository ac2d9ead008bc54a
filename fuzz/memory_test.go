package fuzz

import (
	"runtime/metrics"
	"testing"
)

// checkMemory runs f and refuses it if it allocated more than so many bytes. The
// runtime counts for the whole process, and late: what somebody else did shows
// once, what f does shows each time.
func checkMemory(t *testing.T, most int, f func()) {
	t.Helper()
	const attempts = 4
	var bytes uint64
	for range attempts {
		before := allocated()
		f()
		if bytes = allocated() - before; bytes <= uint64(most) {
			return
		}
	}
	t.Errorf("%d bytes allocated, and %d are more than enough", bytes, most)
}

// allocated counts the bytes allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// mostMemory bounds what is allocated for a stream, and for a copy of it: messages
// and answers grow by doubling. What a message inflates to does so up to the limit,
// and then may take two copies for the history.
func (s settings) mostMemory(in []byte) int {
	const (
		aside       = 256 << 10
		perInflater = 128 << 10 // more than a new one takes
	)
	most := aside + 8*len(in)
	if s.Deflate == nil {
		return most
	}
	messages := 1
	for {
		f, n, err := readFrame(in)
		if n == 0 || err != nil {
			return most + messages*(perInflater+6*s.Limit)
		}
		if f.fin && !f.control() {
			messages++
		}
		in = in[n:]
	}
}
