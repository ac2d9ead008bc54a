package wsproto

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/hawser-ws/hawser/frame"
)

// Every level is read by the other side, with context takeover and in fragments, and the
// highest one sends less than the lowest.
func TestCompressLevel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	sent := make(map[int]int)
	for level := 0; level <= 10; level++ {
		r := rand.New(rand.NewPCG(seed, 0))
		cfg := &Config{CompressFrom: 1, CompressLevel: level}
		from, to := new(Conn), newDeflateConn(Client, Deflate{})
		from.Init(cfg)
		from.UseDeflate(Deflate{})
		for i := range 6 {
			p := prose(r, 8000)
			send := func() ([]byte, error) { return from.AppendMessage(nil, frame.Text, p) }
			if i == 5 {
				send = func() ([]byte, error) { return sendInFragments(r, from, p) }
			}
			wire, err := send()
			sent[level] += len(wire)
			if err != nil {
				t.Fatal(err)
			}
			to.Feed(wire)
			if ev := to.Next(); ev.Kind != Message || !bytes.Equal(ev.Payload, p) {
				t.Fatalf("level %d, message %d: received %v, %d bytes, %v; want %d", level, i, ev.Kind, len(ev.Payload), ev.Err, len(p))
			}
			for to.Next().Kind != NeedData {
			}
		}
	}
	if sent[0] != sent[1] || sent[10] != sent[9] || sent[9] >= sent[1] {
		t.Errorf("bytes sent, by level: %v", sent)
	}
}

// The owner of a Config chooses for each message whether to compress it.
func TestCompressChoice(t *testing.T) {
	p := bytes.Repeat([]byte("again "), 100)
	cfg := &Config{}
	c := new(Conn)
	c.Init(cfg)
	c.UseDeflate(Deflate{})
	for _, tt := range []struct {
		from       int
		p          []byte
		compressed bool
	}{{0, p, true}, {-1, p, false}, {1, p[:20], true}, {0, p[:20], false}, {1, nil, false}, {601, p, false}, {600, p, true}} {
		cfg.CompressFrom = tt.from
		b, err := c.AppendMessage(nil, frame.Binary, tt.p)
		if err != nil {
			t.Fatal(err)
		}
		if got := b[0]&0x40 != 0; got != tt.compressed {
			t.Errorf("CompressFrom %d: %d bytes are compressed: %v", tt.from, len(tt.p), got)
		}
		if b, _ = c.AppendFragment(nil, frame.Binary, tt.p, true); b[0]&0x40 != 0 != (tt.from >= 0) {
			t.Errorf("CompressFrom %d: a fragment is compressed: %v", tt.from, b[0]&0x40 != 0)
		}
	}
}
