package frame

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drawn reads "1 000 0001 0 0000010", most significant bit first.
func drawn(s string) []byte {
	s = strings.ReplaceAll(s, " ", "")
	b := make([]byte, len(s)/8)
	for i, c := range s {
		if c == '1' {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return b
}

func hexBytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var headers = []struct {
	name string
	wire []byte
	h    Header
}{
	{"text 2", drawn("1 000 0001 0 0000010"), Header{Fin: true, Opcode: Text, Length: 2}},
	{"not final, continuation", drawn("0 000 0000 0 0000000"), Header{}},
	{"reserved bits", drawn("1 100 0010 0 0000001"), Header{Fin: true, RSV1: true, Opcode: Binary, Length: 1}},
	{"RSV2", drawn("1 010 0010 0 0000001"), Header{Fin: true, RSV2: true, Opcode: Binary, Length: 1}},
	{"RSV3", drawn("1 001 0010 0 0000001"), Header{Fin: true, RSV3: true, Opcode: Binary, Length: 1}},
	{"125", drawn("1 000 1001 0 1111101"), Header{Fin: true, Opcode: Ping, Length: 125}},
	{"126", drawn("1 000 0001 0 1111110 0000000001111110"), Header{Fin: true, Opcode: Text, Length: 126}},
	{"65535", drawn("1 000 0001 0 1111110 1111111111111111"), Header{Fin: true, Opcode: Text, Length: 65535}},
	{"65536", append(drawn("1 000 0001 0 1111111"), 0, 0, 0, 0, 0, 1, 0, 0), Header{Fin: true, Opcode: Text, Length: 65536}},
	{"largest", append(drawn("1 000 0001 0 1111111"), 0x7F, 255, 255, 255, 255, 255, 255, 255), Header{Fin: true, Opcode: Text, Length: 1<<63 - 1}},
	{"masked", append(drawn("1 000 1000 1 0000000"), 0x11, 0x22, 0x33, 0x44), Header{Fin: true, Opcode: Close, Masked: true, Key: 0x44332211}},
	{"masked 126", append(drawn("1 000 0010 1 1111110 0000000100000000"), 1, 2, 3, 4), Header{Fin: true, Opcode: Binary, Masked: true, Key: 0x04030201, Length: 256}},
	{"masked 65536", append(drawn("0 000 0010 1 1111111"), 0, 0, 0, 0, 0, 1, 0, 0, 9, 8, 7, 6), Header{Opcode: Binary, Masked: true, Key: 0x06070809, Length: 65536}},
}

func TestHeader(t *testing.T) {
	for _, c := range headers {
		t.Run(c.name, func(t *testing.T) {
			h, n, err := ParseHeader(append(c.wire, "payload"...))
			if err != nil || n != len(c.wire) {
				t.Fatalf("ParseHeader = %d bytes, %v; want %d", n, err, len(c.wire))
			}
			if d := cmp.Diff(c.h, h); d != "" {
				t.Errorf("ParseHeader (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.wire, c.h.Append(nil)); d != "" {
				t.Errorf("Append (-want +got):\n%s", d)
			}
			if d := cmp.Diff(append([]byte("x"), c.wire...), c.h.Append([]byte("x"))); d != "" {
				t.Errorf("Append to a prefix (-want +got):\n%s", d)
			}
		})
	}
}

// Every header cut at every index asks for more, and tells what its first two
// bytes say.
func TestHeaderTruncated(t *testing.T) {
	for _, c := range headers {
		for i := range c.wire {
			h, n, err := ParseHeader(c.wire[:i])
			if n != 0 || err != nil {
				t.Fatalf("%s, %d bytes: ParseHeader = %d, %v; want 0, nil", c.name, i, n, err)
			}
			want := Header{}
			if i >= 2 {
				want = c.h
				want.Length, want.Key = h.Length, h.Key // not known yet
			}
			if d := cmp.Diff(want, h); d != "" {
				t.Fatalf("%s, %d bytes (-want +got):\n%s", c.name, i, d)
			}
		}
	}
}

func TestHeaderErrors(t *testing.T) {
	for _, c := range []struct {
		name, wire string
		want       error
	}{
		{"F02 highest bit", "82 FF 8000000000000000 01020304", ErrLengthOverflow},
		{"F03 all bits", "82 FF FFFFFFFFFFFFFFFF 01020304", ErrLengthOverflow},
		{"F02 after its third byte", "82 FF 80", ErrLengthOverflow},
		{"F13 5 in 16 bits", "81 FE 0005 01020304", ErrLengthNotMinimal},
		{"F13 125 in 16 bits", "81 7E 007D", ErrLengthNotMinimal},
		{"F13 65535 in 64 bits", "81 7F 000000000000FFFF", ErrLengthNotMinimal},
		{"F17 fragmented ping", "09 80", ErrControlFragmented},
		{"F17 fragmented close", "08 00", ErrControlFragmented},
		{"F17 ping of 126", "89 FE", ErrControlTooLong},
		{"F17 pong of 64 bits", "8A 7F", ErrControlTooLong},
		{"F15 opcode 3", "83 00", ErrReservedOpcode},
		{"F15 opcode 7", "87 80", ErrReservedOpcode},
		{"F15 opcode B", "8B 00", ErrReservedOpcode},
		{"F15 opcode F", "0F 00", ErrReservedOpcode},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, n, err := ParseHeader(hexBytes(t, c.wire))
			if n != 0 || !errors.Is(err, c.want) {
				t.Fatalf("ParseHeader = %d, %v; want %v", n, err, c.want)
			}
		})
	}
}

func TestOpcode(t *testing.T) {
	for o := Opcode(0); o < 16; o++ {
		reserved := strings.HasPrefix(o.String(), "reserved")
		known := o <= 2 || o >= 8 && o <= 10
		if o.IsReserved() == known || reserved == known {
			t.Errorf("opcode %d: IsReserved %v, String %q", o, o.IsReserved(), o)
		}
		if o.IsControl() != (o >= 8) || o.IsData() != (o == 1 || o == 2) {
			t.Errorf("opcode %d: IsControl %v, IsData %v", o, o.IsControl(), o.IsData())
		}
	}
}

func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 256)
	p := make([]byte, 128)
	if n := testing.AllocsPerRun(100, func() {
		buf = Header{Fin: true, Opcode: Text, Masked: true, Key: 7, Length: 128}.Append(buf[:0])
		if _, _, err := ParseHeader(buf); err != nil {
			t.Error(err)
		}
		Mask(p, 7)
	}); n != 0 {
		t.Errorf("append, parse and mask allocate %v times, want 0", n)
	}
}

func BenchmarkParseHeader(b *testing.B) {
	wire := Header{Fin: true, Opcode: Text, Masked: true, Key: 7, Length: 128}.Append(nil)
	for b.Loop() {
		ParseHeader(wire)
	}
}
