package trace

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unhex reads bytes as the RFC writes them: "81 05 48".
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// transcripts are streams, and what must be read from them, to their end.
var transcripts = []struct{ name, wire, want string }{
	{"nothing", "", ""},
	{
		// RFC 6455 §5.7.
		"a masked text message", "81 85 37 fa 21 3d 7f 9f 4d 51 58",
		`* text fin=1 rsv=000 len=5 mask=37fa213d
00000000  48 65 6c 6c 6f                                    |Hello|
`},
	{
		"fragments with a ping between them", "01 03 48 65 6c 89 00 80 02 6c 6f",
		`* text fin=0 rsv=000 len=3 mask=none
00000000  48 65 6c                                          |Hel|
* ping fin=1 rsv=000 len=0 mask=none
* continuation fin=1 rsv=000 len=2 mask=none
00000000  6c 6f                                             |lo|
`},
	{
		"each reserved bit", "c1 00 a1 00 91 00",
		`* text fin=1 rsv=100 len=0 mask=none
* text fin=1 rsv=010 len=0 mask=none
* text fin=1 rsv=001 len=0 mask=none
`},
	{
		"an escape sequence stays in the dump", "81 04 1b 5b 32 4a",
		`* text fin=1 rsv=000 len=4 mask=none
00000000  1b 5b 32 4a                                       |.[2J|
`},
	{
		"a payload longer than what is kept", "82 15 000102030405060708090a0b0c0d0e0f 1011121314 8a 00",
		`* binary fin=1 rsv=000 len=21 mask=none
00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|
00000010  10 11                                             |..|
3 more bytes are not shown
* pong fin=1 rsv=000 len=0 mask=none
`},
	{
		"a long length", "82 7e 00 7e" + strings.Repeat("00", 126),
		`* binary fin=1 rsv=000 len=126 mask=none
00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
00000010  00 00                                             |..|
108 more bytes are not shown
`},
	{
		"an end inside a masked payload", "81 85 37 fa 21 3d 7f 9f",
		`* text fin=1 rsv=000 len=5 mask=37fa213d, incomplete: 2 of 5 bytes came
00000000  48 65                                             |He|
`},
	{
		"an end inside a header", "81 fe 01",
		`* ends inside a header
00000000  81 fe 01                                          |...|
`},
}

// Every stream is shown whole, byte by byte, and cut once at every place.
func TestFrames(t *testing.T) {
	for _, tr := range transcripts {
		t.Run(tr.name, func(t *testing.T) {
			wire := unhex(t, tr.wire)
			show := func(pieces ...[]byte) string {
				f := NewFrames("*", 18)
				var out []byte
				for _, p := range pieces {
					out = f.Append(out, p)
				}
				return string(f.End(out))
			}
			var single [][]byte
			for i := range wire {
				single = append(single, wire[i:i+1])
				if diff := cmp.Diff(tr.want, show(wire[:i], wire[i:])); diff != "" {
					t.Fatalf("cut at %d (-want +got):\n%s", i, diff)
				}
			}
			if diff := cmp.Diff(tr.want, show(wire)); diff != "" {
				t.Errorf("whole (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tr.want, show(single...)); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
			if !bytes.Equal(wire, unhex(t, tr.wire)) {
				t.Error("the bytes were changed")
			}
		})
	}
}

// Bytes that are no frame are shown once; nothing after them can be parsed.
func TestNotAFrame(t *testing.T) {
	f := NewFrames(">", 16)
	got := f.Append(nil, unhex(t, "89 00 83 00 81 01 61"))
	got = f.Append(got, unhex(t, "81 01 62"))
	got = f.End(got)
	want := `> ping fin=1 rsv=000 len=0 mask=none
> not a frame: reserved opcode
00000000  83 00 81 01 61                                    |....a|
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// F04, F07: a length is not a reason to take memory.
func TestPromisedLength(t *testing.T) {
	f := NewFrames("<", 4)
	f.Append(nil, unhex(t, "82 7f 7f ff ff ff ff ff ff ff"))
	chunk := make([]byte, 1<<10)
	for range 100 {
		f.Append(nil, chunk)
	}
	if cap(f.payload) > 64 {
		t.Errorf("%d bytes are held, 4 were to be kept", cap(f.payload))
	}
	want := `< binary fin=1 rsv=000 len=9223372036854775807 mask=none, incomplete: 102400 of 9223372036854775807 bytes came
00000000  00 00 00 00                                       |....|
102396 more bytes are not shown
`
	if diff := cmp.Diff(want, string(f.End(nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
