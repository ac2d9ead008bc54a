package wsproto

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A driver that stops after every event, and feeds the unread bytes again from
// its own memory, sees the same as one that reads on.
func TestUnread(t *testing.T) {
	forBothRoles(t, func(t *testing.T, role Role) {
		input := frames(t, role, "81 one", "01 tw", "89 ping", "80 o", "82 three", "81 four", `88 \x03\xe8`, "81 too late")
		for size := 1; size <= len(input); size++ {
			want := transcript(newConn(role), split(bytes.Clone(input), size)...)
			var got []string
			var out []byte
			c := newConn(role)
			for _, piece := range split(bytes.Clone(input), size) {
				for len(piece) > 0 {
					c.Feed(piece)
					ev := c.Next()
					if ev.Kind != NeedData {
						got = append(got, describe(ev))
					}
					out = append(out, c.Output()...)
					piece = bytes.Clone(c.Unread())
				}
			}
			if d := cmp.Diff(want, append(got, readFrames(out)...)); d != "" {
				t.Fatalf("pieces of %d bytes (-want +got):\n%s", size, d)
			}
		}
	})
}

func split(b []byte, size int) (pieces [][]byte) {
	for len(b) > size {
		pieces = append(pieces, b[:size])
		b = b[size:]
	}
	return append(pieces, b)
}
