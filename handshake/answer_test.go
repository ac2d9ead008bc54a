package handshake

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// AppendAnswer writes what Upgrade writes, and leaves to it what it refuses.
func TestAppendAnswer(t *testing.T) {
	deflate := &Upgrader{Deflate: &DeflateOptions{ServerContextTakeover: true}, Subprotocols: []string{"superchat", "chat"}}
	for name, c := range map[string]struct {
		u   *Upgrader
		raw string
	}{
		"bare":                 {&Upgrader{}, hello + "\r\n"},
		"subprotocol":          {deflate, with("Sec-WebSocket-Protocol: other, chat")},
		"deflate":              {deflate, with("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")},
		"deflate, not offered": {deflate, with("Sec-WebSocket-Extensions: x")},
		"own page":             {&Upgrader{}, with("Origin: https://good.example")},
		"other page":           {&Upgrader{}, with("Origin: https://evil.example")},
		"own page on a port":   {&Upgrader{}, with("Origin: https://good.example:444")},
		"listed page":          {&Upgrader{Origins: []string{"https://a.example"}}, with("Origin: https://A.example")},
		"unlisted page":        {&Upgrader{Origins: []string{"https://a.example"}}, with("Origin: https://good.example")},
		"no page":              {&Upgrader{Origins: []string{"https://a.example"}}, hello + "\r\n"},
		"listed, not asked":    {&Upgrader{Origins: []string{"https://good.example"}, CheckOrigin: refuseUnlisted}, with("Origin: https://good.example")},
		"no page, not asked":   {&Upgrader{CheckOrigin: refuseUnlisted}, with("Origin: ")},
		"asked, refused":       {&Upgrader{Origins: []string{"https://a.example"}, CheckOrigin: refuseUnlisted}, with("Origin: https://good.example")},
		"two pages":            {&Upgrader{}, with("Origin: https://good.example", "Origin: https://good.example")},
		"null":                 {&Upgrader{Origins: []string{"null"}}, with("Origin: null")},
		"bad list":             {&Upgrader{}, with("Sec-WebSocket-Protocol: a b")},
		"bad extension":        {&Upgrader{}, with("Sec-WebSocket-Extensions: ;")},
		"version":              {&Upgrader{}, edit(t, "Version: 13", "Version: 8")},
		"key":                  {&Upgrader{}, edit(t, "==", "=")},
		"many lines":           {&Upgrader{MaxHeaders: 5}, with("A: b")},
		"few lines":            {&Upgrader{MaxHeaders: 6}, with("A: b")},
		"bad options":          {&Upgrader{Deflate: &DeflateOptions{ServerMaxWindowBits: 7}}, hello + "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := parsed(t, c.raw), newHijackable()
			defer w.close()
			_, _, want, err := c.u.Upgrade(w, r)
			answer, got, ok := c.u.AppendAnswer([]byte("before"), fieldsOf(r))
			if ok != (err == nil) {
				t.Fatalf("accepted %t; Upgrade: %v", ok, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("Result (-Upgrade +AppendAnswer):\n%s", d)
			}
			written := "before" + string(w.nc.(*sink).written)
			if d := cmp.Diff(written, string(answer)); d != "" {
				t.Errorf("answer (-Upgrade +AppendAnswer):\n%s", d)
			}
		})
	}
}

// A function that takes the request is not skipped.
func TestAppendAnswerCallsNothing(t *testing.T) {
	admit := func(*http.Request, string) error { return nil }
	for name, u := range map[string]*Upgrader{
		"CheckOrigin":             {CheckOrigin: admit},
		"CheckOrigin and Origins": {CheckOrigin: admit, Origins: []string{"https://a.example"}},
		"Subprotocol":             {Subprotocol: func(*http.Request, []string) string { return "" }},
		"Header":                  {Header: func(*http.Request) http.Header { return nil }},
	} {
		if answer, _, ok := u.AppendAnswer(nil, fieldsOf(parsed(t, with("Origin: https://good.example")))); ok || len(answer) > 0 {
			t.Errorf("%s: accepted, %q", name, answer)
		}
	}
}

func TestAppendAnswerAllocates(t *testing.T) {
	u, f, dst := &Upgrader{}, fieldsOf(parsed(t, hello+"Origin: https://good.example\r\n\r\n")), make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		if b, _, ok := u.AppendAnswer(dst, f); !ok || !bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
