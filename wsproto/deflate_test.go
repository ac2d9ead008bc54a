package wsproto

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
)

// newDeflateConn returns a connection with permessage-deflate that compresses
// every message.
func newDeflateConn(role Role, d Deflate) *Conn {
	c := new(Conn)
	c.Init(&Config{Role: role, MaxMessage: 64 << 10, MaxFragments: Off, CompressFrom: 1, MaskKey: func() uint32 { return testKey }})
	c.UseDeflate(d)
	return c
}

// Off turns a number of Config off.
const Off = -1

// prose makes n bytes of text with many repetitions, at all distances.
func prose(r *rand.Rand, n int) []byte {
	words := strings.Fields("the quick brown fox jumps over a lazy dog and then some other animal of the wood sleeps while it rains")
	var b []byte
	for len(b) < n {
		if len(b) > 100 && r.IntN(4) == 0 {
			from := r.IntN(len(b) - 50)
			b = append(b, b[from:from+10+r.IntN(40)]...)
			continue
		}
		b = append(append(b, words[r.IntN(len(words))]...), byte('0'+r.IntN(10)))
	}
	return b[:n]
}

// eachDeflate runs f for every combination of parameters that matters.
func eachDeflate(t *testing.T, f func(t *testing.T, d Deflate)) {
	for bits := uint8(8); bits <= 15; bits++ {
		for _, no := range []bool{false, true} {
			d := Deflate{ServerNoContextTakeover: no, ClientNoContextTakeover: !no, ServerMaxWindowBits: bits, ClientMaxWindowBits: 23 - bits}
			t.Run(fmt.Sprintf("%+v", d), func(t *testing.T) { f(t, d) })
		}
	}
}

// Each side reads what the other sends, with any parameters: whole, in
// fragments or prepared.
func TestDeflateBothWays(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	eachDeflate(t, func(t *testing.T, d Deflate) {
		forBothRoles(t, func(t *testing.T, role Role) {
			r := rand.New(rand.NewPCG(seed, 0))
			from, to := newDeflateConn(role, d), newDeflateConn(1-role, d)
			shared := NewPrepared(frame.Text, prose(r, 3000))
			for i := range 24 {
				p := prose(r, r.IntN(1+r.IntN(20_000)))
				var wire []byte
				var err error
				switch i % 4 {
				case 0, 1:
					wire, err = from.AppendMessage(nil, frame.Text, p)
				case 2:
					p = shared.Payload()
					wire, err = from.Frame(shared)
				case 3:
					wire, err = sendInFragments(r, from, p)
				}
				if err != nil {
					t.Fatal(err)
				}
				to.Feed(bytes.Clone(wire))
				ev := to.Next()
				if ev.Kind != Message || !bytes.Equal(ev.Payload, p) {
					t.Fatalf("message %d of %d bytes: %s", i, len(p), describe(ev))
				}
				if ev := to.Next(); ev.Kind != NeedData || to.w != nil {
					t.Fatalf("message %d leaves %s", i, describe(ev))
				}
			}
		})
	})
}

func sendInFragments(r *rand.Rand, c *Conn, p []byte) (wire []byte, err error) {
	op := frame.Text
	for {
		n := r.IntN(len(p) + 1)
		fin := r.IntN(4) == 0
		if fin {
			n = len(p)
		}
		if wire, err = c.AppendFragment(wire, op, p[:n], fin); fin || err != nil {
			return wire, err
		}
		p, op = p[n:], frame.Continuation
	}
}

// A window holds the last bytes, no more and no fewer, in no more memory.
func TestWindowAdd(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const size = 256
	var w window
	var all []byte
	for range 5000 {
		p := make([]byte, r.IntN(1+r.IntN(300)))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		w.add(p, size)
		all = append(all, p...)
		if want := all[max(len(all)-size, 0):]; !bytes.Equal(w.b, want) || cap(w.b) > size {
			t.Fatalf("after %d bytes the window holds %d in %d; want the last %d in at most %d", len(all), len(w.b), cap(w.b), len(want), size)
		}
	}
}

// Sent data stays within the window that was promised, and can be read by a
// decoder that shares no code with the encoder.
func TestDeflateWindow(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for bits := uint8(8); bits <= 15; bits++ {
		for _, no := range []bool{false, true} {
			r := rand.New(rand.NewPCG(seed, 0))
			c := newDeflateConn(Server, Deflate{ServerMaxWindowBits: bits, ServerNoContextTakeover: no})
			var out []byte
			shrunk := 0
			for i := range 9 {
				p := prose(r, 300+r.IntN(1+r.IntN(60_000)))
				var wire []byte
				if i%3 == 2 {
					wire, _ = sendInFragments(r, c, p)
				} else {
					wire, _ = c.AppendMessage(nil, frame.Binary, p)
				}
				z := unframe(t, wire)
				if no {
					out = nil
				}
				before := len(out)
				var err error
				if out, err = strictInflate(out, z, 1<<bits); err != nil {
					t.Fatalf("%d bits, message %d: %v", bits, i, err)
				}
				if !bytes.Equal(out[before:], p) {
					t.Fatalf("%d bits, message %d of %d bytes is read as %d others", bits, i, len(p), len(out)-before)
				}
				shrunk += len(p) - len(z)
			}
			if shrunk <= 0 {
				t.Errorf("%d bits: nothing is compressed", bits)
			}
		}
	}
}

// unframe joins the payloads of a message's frames and checks their RSV1.
func unframe(t *testing.T, wire []byte) (z []byte) {
	for first := true; len(wire) > 0; first = false {
		h, n, err := frame.ParseHeader(wire)
		if err != nil || h.RSV1 != first {
			t.Fatalf("%+v, %v; want RSV1 on the first frame only", h, err)
		}
		z = append(z, wire[n:n+int(h.Length)]...)
		wire = wire[n+int(h.Length):]
	}
	return z
}

// deflated compresses p with the standard library, without the tail.
func deflated(p []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write(p)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte(deflateTail))
}

// message frames z as a compressed message.
func compressedFrames(z []byte) []byte {
	h := frame.Header{Fin: true, RSV1: true, Opcode: frame.Text, Length: uint64(len(z)), Masked: true}
	return append(h.Append(nil), z...)
}

func TestDeflateInput(t *testing.T) {
	long := bytes.Repeat([]byte("hello "), 1000)
	for _, c := range []struct {
		name string
		z    []byte
		want string
	}{
		// RFC 7692 §7.2.3: the examples
		{"one block", []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, `text "Hello"`},
		{"no compression", []byte{0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}, `text "Hello"`},
		{"Z04 BFINAL", []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}, `text "Hello"`},
		{"two blocks", []byte{0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}, `text "Hello"`},
		{"Z04 BFINAL and another block", []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, `text "HelloHello"`},
		{"empty", []byte{0x00}, `text ""`},
		{"long", deflated(long), "text 6000 bytes"},
		{"Z04 garbage", []byte{0xff, 0xff, 0xff, 0xff}, "failed 1007"},
		{"Z04 truncated", deflated(long)[:20], "failed 1007"},
		{"Z04 nothing at all", nil, "failed 1007"},
		{"Z04 block type 3", []byte{0x06}, "failed 1007"},
		{"Z04 reference before the start", []byte{0x4a, 0x04, 0x62, 0x00}, "failed 1007"},
		{"Z04 final block that swallows what follows the message", []byte{0x01, 0x09, 0x00, 0xf6, 0xff}, "failed 1007"},
		{"Z04 final block that swallows some of it", []byte{0x01, 0x06, 0x00, 0xf9, 0xff}, "failed 1007"},
		{"Z04 codes that run on behind the message", []byte{0x05, 0x4b, 0xb6, 0x00, 0x02, 0x04, 0xd8}, "failed 1007"},
		{"Z04 final block that needs the tail", []byte{0x01}, `text ""`},
		{"not UTF-8", deflated([]byte{0xff}), "failed 1007"},
		{"Z01 bomb", deflated(make([]byte, 2<<20)), "failed 1009"},
		{"exactly the limit", deflated(bytes.Repeat([]byte("a"), 65536)), "text 65536 bytes"},
		{"Z01 one more", deflated(bytes.Repeat([]byte("a"), 65537)), "failed 1009"},
		{"Z01 empty blocks", bytes.Repeat([]byte{0x00, 0x00, 0x00, 0xff, 0xff}, 13_200), "text \"\""},
		{"Z01 too many empty blocks", bytes.Repeat([]byte{0x00, 0x00, 0x00, 0xff, 0xff}, 13_300), "failed 1009"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "Z01 empty blocks" {
				c.z = c.z[:len(c.z)-4]
			}
			got := transcript(newDeflateConn(Server, Deflate{}), compressedFrames(c.z))
			if len(got) == 0 || got[0] != c.want {
				t.Errorf("%q; want %s", got, c.want)
			}
			// Byte by byte, the result is the same.
			if len(c.z) < 100 {
				var pieces [][]byte
				for _, b := range compressedFrames(c.z) {
					pieces = append(pieces, []byte{b})
				}
				if d := cmp.Diff(got, transcript(newDeflateConn(Server, Deflate{}), pieces...)); d != "" {
					t.Errorf("byte by byte (-whole +pieces):\n%s", d)
				}
			}
		})
	}
}

// Z01: a bomb makes the connection hold at most twice the limit.
func TestZ01Memory(t *testing.T) {
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, flate.BestSpeed)
	zeros := make([]byte, 1<<20)
	for range 12 {
		w.Write(zeros)
	}
	w.Flush()
	c := newDeflateConn(Server, Deflate{})
	f := inflaters.Get().(*inflater)
	f.src.Reset(z.Bytes())
	plain, err := f.read(nil, c.maxMessage())
	if err == nil || err.Code != CloseMessageTooBig || cap(plain.b) > c.maxMessage() {
		t.Errorf("%v, %d bytes held; want 1009 and at most %d", err, cap(plain.b), c.maxMessage())
	}
}

// Z03: RSV1 belongs to the first frame of a message.
func TestZ03RSV1(t *testing.T) {
	for name, in := range map[string][]string{
		"continuation": {`41 \xf2\x48`, `c0 \x05\x00`},
		"ping":         {"c9"}, "close": {"c8"}, "pong": {"ca"},
	} {
		got := transcript(newDeflateConn(Server, Deflate{}), frames(t, Server, in...))
		if d := cmp.Diff([]string{"failed 1002", "> close 1002"}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	got := transcript(newDeflateConn(Server, Deflate{}), frames(t, Server, `41 \xf2\x48`, "89 p", `80 \xcd\xc9\xc9\x07\x00`, "81 plain"))
	if d := cmp.Diff([]string{`ping "p"`, `text "Hello"`, `text "plain"`, `> pong "p"`}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Z06: an inflater that failed on one connection serves another untouched.
func TestZ06ReuseAfterError(t *testing.T) {
	secret := prose(rand.New(rand.NewPCG(1, 2)), 20_000)
	for range 20 {
		a, b := newDeflateConn(Server, Deflate{}), newDeflateConn(Server, Deflate{})
		transcript(a, compressedFrames(deflated(secret)))
		if got := transcript(a, compressedFrames([]byte{0xff, 0xff})); got[0] != "failed 1007" {
			t.Fatal(got)
		}
		// A reference into another connection's data must not resolve.
		if got := transcript(b, compressedFrames([]byte{0x4a, 0x04, 0x62, 0x00})); got[0] != "failed 1007" {
			t.Fatal(got)
		}
		c := newDeflateConn(Server, Deflate{})
		if got := transcript(c, compressedFrames(deflated([]byte("fine")))); got[0] != `text "fine"` {
			t.Fatal(got)
		}
	}
}

// Z08: a connection with takeover both ways takes at most 2<<bits + 512 bytes,
// all it owns counted, over 10,000 of them.
func TestZ08Memory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	n := 10_000
	if raceEnabled {
		n = 500 // its shadow memory is not counted, only slow
	}
	for _, bits := range []uint8{8, 10} {
		d := Deflate{ServerMaxWindowBits: bits, ClientMaxWindowBits: bits}
		peer := newDeflateConn(Client, Deflate{ServerMaxWindowBits: bits, ClientMaxWindowBits: bits, ClientNoContextTakeover: true})
		wire, _ := peer.AppendMessage(nil, frame.Text, prose(r, 3000))
		cfg := &Config{Role: Server}
		conns := make([]Conn, n)
		in, out := make([]byte, len(wire)), make([]byte, 0, 4096)
		before := heap()
		for i := range conns {
			c := &conns[i]
			c.Init(cfg)
			c.UseDeflate(d)
			for range 2 {
				copy(in, wire)
				c.Feed(in)
				ev := c.Next()
				out, _ = c.AppendMessage(out[:0], ev.Opcode, ev.Payload)
				c.Next()
			}
			if c.w != nil || len(c.z.in.window.b) != 1<<bits || len(c.z.out.window.b) != 1<<bits {
				t.Fatalf("connection %d: something is unfinished, or its windows are not full", i)
			}
		}
		each := (heap()-before)/n + int(unsafe.Sizeof(conns[0]))
		t.Logf("%d bits: %d bytes a connection", bits, each)
		if each > 2<<bits+512 {
			t.Errorf("%d bits: %d bytes a connection; want at most %d", bits, each, 2<<bits+512)
		}
		runtime.KeepAlive(conns)
	}
}

// heap is the live heap in bytes.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first left in pools
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A Prepared is compressed once for each window size, and is right on
// connections with and without takeover, whatever they sent before.
func TestPreparedDeflate(t *testing.T) {
	m := NewPrepared(frame.Text, []byte(strings.Repeat("prepared ", 100)))
	var first []byte
	for i := range 4 {
		c := newDeflateConn(Server, Deflate{ServerNoContextTakeover: i%2 == 0})
		b, err := c.Frame(m)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = b
		}
		if &b[0] != &first[0] {
			t.Error("compressed again for the same parameters")
		}
	}
	if b, _ := newDeflateConn(Server, Deflate{ServerMaxWindowBits: 9}).Frame(m); &b[0] == &first[0] {
		t.Error("the same bytes for another window")
	}
	if b, _ := newConn(Server).Frame(m); b[0] != 0x81 {
		t.Errorf("% x for a connection without compression", b[:2])
	}
	noise := make([]byte, 1000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	if b, _ := newDeflateConn(Server, Deflate{}).Frame(NewPrepared(frame.Binary, noise)); b[0] != 0x82 {
		t.Error("noise is sent compressed")
	}
}

func TestFragmentMisuse(t *testing.T) {
	c := newDeflateConn(Server, Deflate{})
	check := func(what string, err error) {
		t.Helper()
		if _, ok := err.(*UsageError); !ok {
			t.Errorf("%s: %v; want a UsageError", what, err)
		}
	}
	_, err := c.AppendFragment(nil, frame.Continuation, nil, true)
	check("a continuation of nothing", err)
	if _, err = c.AppendFragment(nil, frame.Text, []byte("a"), false); err != nil {
		t.Fatal(err)
	}
	_, err = c.AppendFragment(nil, frame.Text, nil, true)
	check("a second beginning", err)
	_, err = c.AppendMessage(nil, frame.Text, nil)
	check("a message inside", err)
	_, err = c.Frame(NewPrepared(frame.Text, nil))
	check("a prepared message inside", err)
	if _, err = c.AppendPing(nil, nil); err != nil {
		t.Errorf("a ping inside: %v", err)
	}
	if _, err = c.AppendFragment(nil, frame.Continuation, nil, true); err != nil {
		t.Errorf("the end: %v", err)
	}
	for _, bits := range []uint8{7, 16, 100} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("UseDeflate with %d bits does not panic", bits)
				}
			}()
			newDeflateConn(Server, Deflate{ServerMaxWindowBits: bits})
		}()
	}
}

func TestStream(t *testing.T) {
	conn := func() *Conn {
		c := new(Conn)
		c.Init(&Config{Role: Server, MaxMessage: 8, Stream: true})
		c.UseDeflate(Deflate{})
		return c
	}
	wire := frames(t, Server, "01 more than ", "89 p", "00 eight", "80", "82 \\x01", "c1 \\xf2\\x48\\xcd\\xc9\\xc9\\x07\\x00")
	c := conn()
	c.Feed(bytes.Clone(wire))
	var got []string
	for {
		ev := c.Next()
		if ev.Kind == NeedData {
			break
		}
		if ev.Kind == Piece {
			got = append(got, fmt.Sprintf("%v %q %v", ev.Opcode, ev.Payload, ev.Fin))
		}
	}
	want := []string{`text "more than " false`, `text "eight" false`, `text "" true`, `binary "\x01" true`, `text "Hello" true`}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// Split anywhere, the pieces say the same, and nothing is held.
	for i := range wire {
		c, all := conn(), ""
		for _, p := range [][]byte{wire[:i], wire[i:]} {
			c.Feed(bytes.Clone(p))
			for ev := c.Next(); ev.Kind != NeedData; ev = c.Next() {
				if ev.Kind == Piece {
					all += string(ev.Payload)
				}
			}
		}
		if all != "more than eight\x01Hello" {
			t.Fatalf("split at %d: %q", i, all)
		}
	}
	for name, in := range map[string][]string{"bad UTF-8": {`01 a\xff`}, "ends inside a character": {`01 \xce`, "80"}} {
		c := conn()
		c.Feed(frames(t, Server, in...))
		ev := c.Next()
		for ev.Kind == Piece {
			ev = c.Next()
		}
		if ev.Kind != Failed || ev.Err.(*PeerError).Code != CloseInvalidPayload {
			t.Errorf("%s: %+v; want 1007", name, ev)
		}
	}
}
