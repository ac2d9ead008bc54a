package autobahn

import (
	"sync"

	"github.com/hawser-ws/hawser/autobahn/internal/corpus"
	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
)

// streamKey is what determines the compressed messages of a Loop: cases with the
// same key send the same bytes.
type streamKey struct {
	corpus     *corpus.Corpus
	length     int
	bits       int
	noTakeover bool
}

// stream is the messages of a Loop, deflated once for all cases that send them:
// deflating is half of the tester's work.
type stream struct {
	mu       sync.Mutex
	deflater deflate.Deflater
	messages [][]byte
	from     int
	plain    []byte
	size     int
}

// streamBytes bounds what the streams hold.
const streamBytes = 128 << 20

var streams struct {
	mu   sync.Mutex
	list []*stream // the last used is last
	keys []streamKey
}

// sharedStream is the stream of l under a, or nil where keeping it costs more
// memory than it saves work.
func sharedStream(l *Loop, a *Agreement) *stream {
	if l.Corpus == nil || !l.Corpus.Compresses() {
		return nil
	}
	k := streamKey{l.Corpus, l.Length, a.out.Bits, a.out.NoTakeover}
	s := &streams
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, have := range s.keys {
		if have == k {
			t := s.list[i]
			s.list = append(append(s.list[:i], s.list[i+1:]...), t)
			s.keys = append(append(s.keys[:i], s.keys[i+1:]...), k)
			return t
		}
	}
	total := 0
	for i := len(s.list) - 1; i >= 0; i-- {
		if total += s.list[i].held(); total > streamBytes {
			s.list, s.keys = s.list[i+1:], s.keys[i+1:]
			break
		}
	}
	t := &stream{deflater: deflate.Deflater{Bits: k.bits, NoTakeover: k.noTakeover}}
	s.list, s.keys = append(s.list, t), append(s.keys, k)
	return t
}

func (t *stream) held() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size
}

// message returns message i, deflated. It must not be modified.
func (t *stream) message(i int, l *Loop) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.messages) <= i {
		t.plain, t.from = l.Corpus.Cut(t.plain[:0], t.from, l.Length)
		p := append([]byte(nil), t.deflater.Deflate(t.plain)...)
		t.messages = append(t.messages, p)
		t.size += len(p)
	}
	return t.messages[i]
}
