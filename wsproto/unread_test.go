package wsproto

import (
	"bytes"
	"strings"
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

// TakeMessage returns whole messages, and leaves everything else to Next as it was.
func TestTakeMessage(t *testing.T) {
	forBothRoles(t, func(t *testing.T, role Role) {
		for _, next := range []string{"01 tw", "89 ping", "8a pong", `88 \x03\xe8`, `81 \xff`, "80 end", "83 reserved", "c1 compressed"} {
			c := newConn(role)
			c.Feed(frames(t, role, "81 one", "82 two", next, "81 three"))
			for _, want := range []string{`Text "one"`, `Binary "two"`} {
				if ev, ok := c.TakeMessage(); !ok || describe(ev) != strings.ToLower(want) {
					t.Fatalf("%s: %v, %v; want %s", next, ev, ok, want)
				}
			}
			want := frames(t, role, next, "81 three")
			for range 2 {
				if ev, ok := c.TakeMessage(); ok {
					t.Errorf("%s: taken as %s", next, describe(ev))
				}
				if out := c.Output(); out != nil {
					t.Errorf("%s: something was said: % x", next, out)
				}
				got := bytes.Clone(c.Unread())
				if !bytes.Equal(got, want) {
					t.Errorf("%s: % x are unread, of % x", next, got, want)
				}
				c.Feed(got)
			}
			direct := newConn(role)
			if d := cmp.Diff(transcript(direct, want), transcript(c, bytes.Clone(c.Unread()))); d != "" {
				t.Errorf("%s: what follows (-want +got):\n%s", next, d)
			}
			if ev, ok := c.TakeMessage(); ok {
				t.Errorf("%s: %s after everything", next, describe(ev))
			}
		}
	})
}
