package handshake

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answered dials and returns the Host and Authorization that reached the server.
func answered(t *testing.T, url string, o DialOptions) (host, authorization string) {
	t.Helper()
	var r *http.Request
	addr, outcomes := serve(t, &Upgrader{Header: func(req *http.Request) http.Header { r = req; return nil }})
	nc, _, _, err := Dial(t.Context(), fmt.Sprintf(url, addr), &o)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer nc.Close()
	(<-outcomes).nc.Close()
	if host = r.Host; host == addr {
		host = "the address"
	}
	return host, r.Header.Get("Authorization")
}

// Host is sent once, in place of the URL's.
func TestDialHost(t *testing.T) {
	for given, want := range map[string]string{
		"": "the address", "chat.example": "chat.example", "chat.example:8443": "chat.example:8443", "[2001:db8::1]:81": "[2001:db8::1]:81",
	} {
		if got, _ := answered(t, "ws://%s/", DialOptions{Host: given}); got != want {
			t.Errorf("Host %q: the server saw %q, want %q", given, got, want)
		}
	}
}

// A URL's user is authenticated, unless the caller does it.
func TestDialUser(t *testing.T) {
	for _, c := range []struct {
		url    string
		header http.Header
		want   string
	}{
		{"ws://%s/", nil, ""},
		{"ws://@%s/", nil, ""},
		{"ws://Aladdin:open%%20sesame@%s/", nil, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},     // RFC 7617 §2
		{"ws://test:123%%C2%%A3@%s/", http.Header{"X-A": {"b"}}, "Basic dGVzdDoxMjPCow=="}, // §2.1
		{"ws://:token@%s/", nil, "Basic OnRva2Vu"},
		{"ws://a@%s/", nil, "Basic YTo="},
		{"ws://a:b@%s/", http.Header{"authorization": {"Bearer c"}}, "Bearer c"},
	} {
		if _, got := answered(t, c.url, DialOptions{Header: c.header}); got != c.want {
			t.Errorf("%s with %v: Authorization %q, want %q", c.url, c.header, got, c.want)
		}
		if c.header.Get("Authorization") != "" {
			t.Error("the caller's header was changed")
		}
	}
}

// Headers meant for one host are sent neither to the next host nor to the one
// that it redirects to.
func TestDialHostRedirected(t *testing.T) {
	w := &web{answers: map[string]string{
		"a.example:80/":  moved("302", "/2"),
		"a.example:80/2": moved("307", "ws://b.example/3"),
		"b.example:80/3": moved("307", "ws://a.example/4"),
		"a.example:80/4": moved("307", "ws://you:secret@a.example/"),
	}}
	_, _, _, err := Dial(t.Context(), "ws://me:secret@a.example/", &DialOptions{
		Host: "virtual.example", MaxRedirects: 5, DialContext: w.dial(t),
	})
	if err == nil || !strings.Contains(err.Error(), "a server must not choose") {
		t.Errorf("a redirect with a user: %v", err)
	}
	const credentials = " Basic bWU6c2VjcmV0"
	want := []string{"virtual.example/" + credentials, "virtual.example/2" + credentials, "b.example/3", "a.example/4"}
	if d := cmp.Diff(want, w.asked("Authorization")); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}
