package wsproto

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
)

func TestMain(m *testing.M) {
	poison = true
	os.Exit(m.Run())
}

const testKey = 0x3d21fa37 // RFC 6455 §5.7's key, first byte lowest

// newConn returns a connection with small limits in the given role.
func newConn(role Role) *Conn {
	c := new(Conn)
	c.Init(&Config{Role: role, MaxMessage: 64 << 10, MaxFragments: 1024, MaskKey: func() uint32 { return testKey }})
	return c
}

// frames writes a conversation's frames as the peer of role would: "81 hello"
// is the first byte in hex and the payload; `\x` escapes stand for bytes. The
// length and the mask are added.
func frames(t testing.TB, role Role, lines ...string) []byte {
	t.Helper()
	var out []byte
	for _, l := range lines {
		first, payload, _ := strings.Cut(l, " ")
		b, err := hex.DecodeString(first)
		if err != nil || len(b) != 1 {
			t.Fatalf("frame %q: want a first byte in hex", l)
		}
		p, err := unquote(payload)
		if err != nil {
			t.Fatalf("frame %q: %v", l, err)
		}
		h := frame.Header{Length: uint64(len(p)), Masked: role == Server, Key: testKey}
		n := len(out)
		out = h.Append(out)
		out[n] = b[0]
		n = len(out)
		out = append(out, p...)
		if h.Masked {
			frame.Mask(out[n:], testKey)
		}
	}
	return out
}

func unquote(s string) ([]byte, error) {
	var out []byte
	for len(s) > 0 {
		if strings.HasPrefix(s, `\x`) {
			b, err := hex.DecodeString(s[2:4])
			if err != nil {
				return nil, err
			}
			out, s = append(out, b...), s[4:]
			continue
		}
		out, s = append(out, s[0]), s[1:]
	}
	return out, nil
}

// transcript feeds pieces and writes what happens, a line an event, "> " before
// the frames that come out.
func transcript(c *Conn, pieces ...[]byte) []string {
	var lines []string
	var out []byte
	for _, p := range pieces {
		c.Feed(append([]byte(nil), p...))
		for {
			ev := c.Next()
			out = append(out, c.Output()...)
			if ev.Kind == NeedData {
				break
			}
			lines = append(lines, describe(ev))
		}
	}
	return append(lines, readFrames(out)...)
}

func describe(ev Event) string {
	p := fmt.Sprintf("%q", ev.Payload)
	if len(ev.Payload) > 40 {
		p = fmt.Sprintf("%d bytes", len(ev.Payload))
	}
	switch ev.Kind {
	case Message:
		return fmt.Sprintf("%v %s", ev.Opcode, p)
	case Ping:
		return "ping " + p
	case Pong:
		return "pong " + p
	case Closed:
		return fmt.Sprintf("closed %d %s", ev.Code, p)
	}
	return "failed " + ev.Err.(*PeerError).Code.String()[:4]
}

// readFrames decodes what a connection wrote.
func readFrames(b []byte) []string {
	var lines []string
	for len(b) > 0 {
		h, n, err := frame.ParseHeader(b)
		if err != nil || n == 0 || uint64(len(b)-n) < h.Length {
			return append(lines, fmt.Sprintf("> not a frame: % x", b))
		}
		p := append([]byte(nil), b[n:n+int(h.Length)]...)
		b = b[n+int(h.Length):]
		masked := ""
		if h.Masked {
			frame.Mask(p, h.Key)
			masked = "masked "
		}
		switch {
		case h.Opcode == frame.Close && len(p) >= 2:
			lines = append(lines, fmt.Sprintf("> %sclose %d", masked, int(p[0])<<8|int(p[1])))
		case len(p) > 40:
			lines = append(lines, fmt.Sprintf("> %s%v %d bytes", masked, h.Opcode, len(p)))
		default:
			lines = append(lines, fmt.Sprintf("> %s%v %q", masked, h.Opcode, p))
		}
	}
	return lines
}

func a(n int) string { return strings.Repeat("a", n) }

// conversation is what a peer sends and the result.
type conversation struct {
	name string
	in   []string // as frames takes them
	want []string // as transcript writes them, in the server role
}

var conversations = []conversation{
	{"text and binary", []string{"81 hi", `82 \x00\xff`}, []string{`text "hi"`, `binary "\x00\xff"`}},
	{"empty messages", []string{"81", "82"}, []string{`text ""`, `binary ""`}},
	{"all lengths", []string{"81 " + a(125), "81 " + a(126), "82 " + a(65535)},
		[]string{"text 125 bytes", "text 126 bytes", "binary 65535 bytes"}},
	{"fragments", []string{"01 he", "00 ll", "80 o"}, []string{`text "hello"`}},
	{"empty fragments", []string{"02", "00", "80"}, []string{`binary ""`}},
	{"F18 ping between fragments", []string{"01 he", "89 now", "80 llo"}, []string{`ping "now"`, `text "hello"`, `> pong "now"`}},
	{"pong between fragments", []string{"01 he", "8a", "80 llo"}, []string{`pong ""`, `text "hello"`}},
	{"C12 unsolicited pong", []string{"8a x", "81 a"}, []string{`pong "x"`, `text "a"`}},
	{"ping of 125", []string{"89 " + a(125)}, []string{"ping 125 bytes", "> pong 125 bytes"}},
	{"F17 ping of 126", []string{"89 " + a(126)}, []string{"failed 1002", "> close 1002"}},
	{"F17 fragmented ping", []string{"09 a"}, []string{"failed 1002", "> close 1002"}},
	{"F14 RSV1 without an extension", []string{"c1 a"}, []string{"failed 1002", "> close 1002"}},
	{"F14 RSV2", []string{"81 a", "a1 b", "81 c"}, []string{`text "a"`, "failed 1002", "> close 1002"}},
	{"F14 RSV3 on a ping", []string{"99"}, []string{"failed 1002", "> close 1002"}},
	{"F15 opcode 3", []string{"83"}, []string{"failed 1002", "> close 1002"}},
	{"F15 opcode 7", []string{"87"}, []string{"failed 1002", "> close 1002"}},
	{"F15 opcode B", []string{"8b"}, []string{"failed 1002", "> close 1002"}},
	{"F15 opcode F", []string{"8f"}, []string{"failed 1002", "> close 1002"}},
	{"F16 continuation of nothing", []string{"80 a"}, []string{"failed 1002", "> close 1002"}},
	{"F16 continuation after a whole message", []string{"81 a", "00 b"}, []string{`text "a"`, "failed 1002", "> close 1002"}},
	{"F16 text inside a fragmented message", []string{"01 a", "81 b"}, []string{"failed 1002", "> close 1002"}},
	{"F19 character split over fragments", []string{`01 \xce`, `80 \xbc`}, []string{`text "μ"`}},
	{"F19 surrogate", []string{`81 \xed\xa0\x80`}, []string{"failed 1007", "> close 1007"}},
	{"F19 overlong", []string{`81 \xc0\xaf`}, []string{"failed 1007", "> close 1007"}},
	{"F19 over U+10FFFF", []string{`81 \xf4\x90\x80\x80`}, []string{"failed 1007", "> close 1007"}},
	{"F19 ends inside a character", []string{`81 a\xce`}, []string{"failed 1007", "> close 1007"}},
	{"F19 fragments end inside a character", []string{`01 a`, `80 \xf0\x9f`}, []string{"failed 1007", "> close 1007"}},
	{"F19 fails fast in the first fragment", []string{`01 \xf4\x90`, "89 never read"}, []string{"failed 1007", "> close 1007"}},
	{"binary need not be UTF-8", []string{`02 \xc0`, `80 \xaf`}, []string{`binary "\xc0\xaf"`}},
	{"F08 exactly the limit", []string{"82 " + a(65536)}, []string{"binary 65536 bytes"}},
	{"F08 exactly the limit in fragments", []string{"02 " + a(65530), "80 " + a(6)}, []string{"binary 65536 bytes"}},
	{"F07 over the limit in fragments", []string{"02 " + a(65530), "80 " + a(7)}, []string{"failed 1009", "> close 1009"}},
	{"close", []string{`88 \x03\xe8bye`}, []string{`closed 1000 "bye"`, "> close 1000"}},
	{"C04 close without a code", []string{"88"}, []string{`closed 1005 ""`, `> close ""`}},
	{"C01 close with half a code", []string{`88 \x03`}, []string{"failed 1002", "> close 1002"}},
	{"C05 reason not UTF-8", []string{`88 \x03\xe8\xc0\xaf`}, []string{"failed 1007", "> close 1007"}},
	{"C05 reason of 123", []string{`88 \x03\xe8` + a(123)}, []string{"closed 1000 123 bytes", "> close 1000"}},
	{"C05 reason of 124", []string{`88 \x03\xe8` + a(124)}, []string{"failed 1002", "> close 1002"}},
	{"C06 after a close nothing counts", []string{`88 \x03\xe8`, "81 x", "89 y", "83", "88"}, []string{`closed 1000 ""`, "> close 1000"}},
	{"close inside a fragmented message", []string{"01 a", `88 \x03\xe9`, "80 b"}, []string{`closed 1001 ""`, "> close 1001"}},
	{"nothing counts after a failure", []string{"83", "81 x", "89 y", `88 \x03\xe8`}, []string{"failed 1002", "> close 1002"}},
}

// forRole turns what a server does into what a client does: its frames are
// masked.
func forRole(role Role, want []string) []string {
	if role == Server {
		return want
	}
	out := make([]string, len(want))
	for i, l := range want {
		out[i] = strings.Replace(l, "> ", "> masked ", 1)
	}
	return out
}

func forBothRoles(t *testing.T, f func(t *testing.T, role Role)) {
	t.Run("server", func(t *testing.T) { f(t, Server) })
	t.Run("client", func(t *testing.T) { f(t, Client) })
}

func TestConversations(t *testing.T) {
	forBothRoles(t, func(t *testing.T, role Role) {
		for _, v := range conversations {
			t.Run(v.name, func(t *testing.T) {
				got := transcript(newConn(role), frames(t, role, v.in...))
				if d := cmp.Diff(forRole(role, v.want), got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
	})
}

// F20: split in two at every offset, byte by byte, and in random pieces, a
// conversation has the same result.
func TestF20Splits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	forBothRoles(t, func(t *testing.T, role Role) {
		for _, v := range conversations {
			in := frames(t, role, v.in...)
			want := forRole(role, v.want)
			try := func(how string, pieces ...[]byte) {
				t.Helper()
				if d := cmp.Diff(want, transcript(newConn(role), pieces...)); d != "" {
					t.Fatalf("%s, %s (-want +got):\n%s", v.name, how, d)
				}
			}
			for i := range in {
				if i < 300 && len(in) < 1000 || i < 20 || i > len(in)-20 {
					try(fmt.Sprintf("split at %d", i), in[:i], in[i:])
				}
			}
			if len(in) < 1000 {
				var single [][]byte
				for i := range in {
					single = append(single, in[i:i+1])
				}
				try("byte by byte", single...)
			}
			var pieces [][]byte
			for rest := in; len(rest) > 0; {
				n := min(r.IntN(1000), len(rest))
				pieces, rest = append(pieces, rest[:n]), rest[n:]
			}
			try("in random pieces", pieces...)
		}
	})
}

// An error in a header or a character fails the connection at that byte, and
// nothing follows it.
func TestFailsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name, wire string
		want       CloseCode
	}{
		{"F01 unmasked", "81 02", CloseProtocolError},
		{"F02 highest bit of the length", "82 FF 80", CloseProtocolError},
		{"F03 all bits of the length", "82 FF FF", CloseProtocolError},
		{"F04 largest length", "82 FF 7FFFFFFFFFFFFFFF 00000000", CloseMessageTooBig},
		{"F07 limit and one", "82 FF 0000000000010001 00000000", CloseMessageTooBig},
		{"F13 five in sixteen bits", "81 FE 0005", CloseProtocolError},
		{"F13 125 in sixteen bits, whole", "82 FE 007D 00000000" + strings.Repeat("00", 125), CloseProtocolError},
		{"F14 RSV1", "C1 80", CloseProtocolError},
		{"F16 continuation", "80 81", CloseProtocolError},
		{"F17 fragmented ping", "09 80", CloseProtocolError},
		{"F19 ED A0 inside a longer frame", "81 85 00000000 EDA0", CloseInvalidPayload},
		{"F19 F4 90 inside a longer frame", "81 85 00000000 F490", CloseInvalidPayload},
		{"F19 C0 inside a longer frame", "81 85 00000000 61C0", CloseInvalidPayload},
		{"F19 FF after whole characters", "81 FE 0100 00000000 CEBC 61 FF", CloseInvalidPayload},
	} {
		t.Run(c.name, func(t *testing.T) {
			wire, err := hex.DecodeString(strings.ReplaceAll(c.wire, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"failed " + c.want.String()[:4], "> close " + c.want.String()[:4]}
			if d := cmp.Diff(want, transcript(newConn(Server), wire)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestF01MaskedFromServer(t *testing.T) {
	got := transcript(newConn(Client), []byte{0x81, 0x80})
	if d := cmp.Diff([]string{"failed 1002", "> masked close 1002"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestFragmentFloods(t *testing.T) {
	for _, c := range []struct{ name, first, next string }{
		{"F10 one byte each", "01 a", "00 a"},
		{"F11 empty ones", "01", "00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := newConn(Server)
			if got := transcript(conn, frames(t, Server, c.first)); got != nil {
				t.Fatal(got)
			}
			for i := 2; i <= 1024; i++ {
				if got := transcript(conn, frames(t, Server, c.next)); got != nil {
					t.Fatalf("fragment %d: %q", i, got)
				}
			}
			if n := cap(conn.w.msg.bytes()); n > 4096 {
				t.Errorf("%d bytes held for 1,024 fragments", n)
			}
			got := transcript(conn, frames(t, Server, c.next))
			if d := cmp.Diff([]string{"failed 1008", "> close 1008"}, got); d != "" {
				t.Errorf("fragment 1025 (-want +got):\n%s", d)
			}
		})
	}
}

// F04: a header alone makes the connection hold nothing for its payload.
func TestF04HoldsNothing(t *testing.T) {
	c := newConn(Server)
	c.Feed([]byte{0x82, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0})
	c.Next()
	if c.w.msg != nil {
		t.Errorf("%d bytes held for a payload of which nothing came", cap(c.w.msg.b))
	}
}

func TestC02CloseCodes(t *testing.T) {
	good := func(c int) bool {
		return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
	}
	for code := range 65536 {
		if CloseCode(code).Sendable() != good(code) {
			t.Fatalf("Sendable(%d) = %v", code, !good(code))
		}
	}
	for _, code := range []int{0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1012, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535} {
		got := transcript(newConn(Server), frames(t, Server, fmt.Sprintf(`88 \x%02x\x%02x`, code>>8, code&255)))
		want := []string{fmt.Sprintf(`closed %d ""`, code), fmt.Sprintf("> close %d", code)}
		if !good(code) {
			want = []string{"failed 1002", "> close 1002"}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("close %d (-want +got):\n%s", code, d)
		}
	}
}

func TestUTF8(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	interesting := []byte{'a', 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF}
	for range 200_000 {
		p := make([]byte, r.IntN(12))
		for i := range p {
			p[i] = interesting[r.IntN(len(interesting))]
		}
		want, whole := slowUTF8(p)
		var u utf8Check
		got := len(p)
		for i := 0; i < len(p); { // in pieces; the first bad piece ends it
			n := min(1+r.IntN(4), len(p)-i)
			if !u.write(p[i : i+n]) {
				got = i
				break
			}
			i += n
			got = i
		}
		if (got == len(p)) != (want == len(p)) || got > want {
			t.Fatalf("% x: accepted %d bytes, want %d", p, got, want)
		}
		if got == len(p) && u.complete() != whole {
			t.Fatalf("% x: complete = %v, want %v", p, u.complete(), whole)
		}
	}
}

// slowUTF8 returns how many bytes of p can be the start of valid UTF-8, and
// whether they end with a whole character: it tries every character.
func slowUTF8(p []byte) (n int, whole bool) {
	for i := range p {
		if !viable(p[:i+1]) {
			return i, false
		}
	}
	return len(p), strings.ToValidUTF8(string(p), "") == string(p)
}

func viable(p []byte) bool {
	for _, tail := range []string{"", "\x80", "\xbf", "\x80\x80", "\xbf\x80", "\x80\x80\x80", "\xbf\x80\x80", "\x90\x80\x80"} {
		if s := string(p) + tail; strings.ToValidUTF8(s, "") == s {
			return true
		}
	}
	return false
}
