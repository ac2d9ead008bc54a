package handshake

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSubprotocol(t *testing.T) {
	for name, c := range map[string]struct {
		ours  []string
		lines []string
		want  string
	}{
		"none offered":          {[]string{"a", "b"}, nil, ""},
		"none of ours":          {nil, []string{"Sec-WebSocket-Protocol: a"}, ""},
		"no match":              {[]string{"c"}, []string{"Sec-WebSocket-Protocol: a, b"}, ""},
		"the server's order":    {[]string{"a", "b"}, []string{"Sec-WebSocket-Protocol: b, a"}, "a"},
		"the second of ours":    {[]string{"x", "b"}, []string{"Sec-WebSocket-Protocol: a,b"}, "b"},
		"over several lines":    {[]string{"c"}, []string{"Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: , b, c,"}, "c"},
		"names have case":       {[]string{"a"}, []string{"Sec-WebSocket-Protocol: A"}, ""},
		"as many as may be":     {[]string{"x62"}, []string{"Sec-WebSocket-Protocol: a" + numbered(63)}, "x62"},
		"one empty line of two": {[]string{"a"}, []string{"Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: a"}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			rep, o := assertUpgrade(t, &Upgrader{Subprotocols: c.ours}, with(c.lines...))
			var header []string
			if c.want != "" {
				header = []string{c.want}
			}
			if got := rep.Header[protocolHeader]; !cmp.Equal(got, header) {
				t.Errorf("Sec-WebSocket-Protocol %q, want %q", got, header)
			}
			if o.res.Subprotocol != c.want {
				t.Errorf("Result.Subprotocol %q, want %q", o.res.Subprotocol, c.want)
			}
		})
	}
}

func TestSubprotocolHook(t *testing.T) {
	var asked []string
	u := &Upgrader{
		Subprotocols: []string{"a"},
		Subprotocol: func(r *http.Request, offered []string) string {
			asked = offered
			return offered[len(offered)-1]
		},
	}
	rep, o := assertUpgrade(t, u, with("Sec-WebSocket-Protocol: a, b"))
	if d := cmp.Diff([]string{"a", "b"}, asked); d != "" {
		t.Errorf("offered (-want +got):\n%s", d)
	}
	if got := rep.Header.Get(protocolHeader); got != "b" || o.res.Subprotocol != "b" {
		t.Errorf("selected %q, Result %q; want b", got, o.res.Subprotocol)
	}

	u.Subprotocol = func(*http.Request, []string) string { return "" }
	rep, _ = assertUpgrade(t, u, with("Sec-WebSocket-Protocol: a, b"))
	if got, ok := rep.Header[protocolHeader]; ok {
		t.Errorf("selected %q, want none", got)
	}
}
