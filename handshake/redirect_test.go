package handshake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// web is servers in memory.
type web struct {
	// answers by addr and path; none is 404. ACCEPT stands for what the key
	// demands.
	answers map[string]string

	// requests as they came, complete when the Dial that made them returns.
	requests []*http.Request
}

func (w *web) dial(t *testing.T) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return pipe(t, func(peer net.Conn) {
			defer peer.Close()
			r := readHead(t, peer)
			w.requests = append(w.requests, r)
			answer, ok := w.answers[strings.ToLower(addr)+r.URL.Path]
			if !ok {
				answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
			}
			io.WriteString(peer, strings.ReplaceAll(answer, "ACCEPT", AcceptKey(r.Header.Get(keyHeader))))
		})(ctx, network, addr)
	}
}

// asked is what the requests were for, with the values of the header name.
func (w *web) asked(name string) []string {
	var list []string
	for _, r := range w.requests {
		list = append(list, strings.Join(append([]string{r.Host + r.RequestURI}, r.Header[name]...), " "))
	}
	return list
}

// moved is a redirect with more header lines.
func moved(status, location string, lines ...string) string {
	head := append([]string{"HTTP/1.1 " + status + " x", "Content-Length: 0", "Location: " + location}, lines...)
	return strings.Join(head, "\r\n") + "\r\n\r\n"
}

func TestDialRedirects(t *testing.T) {
	w := &web{answers: map[string]string{
		"a.example:80/":    moved("301", "/2?x=1"),
		"a.example:80/2":   moved("302", "3"),
		"a.example:80/3":   moved("303", "//A.example:80/4"),
		"a.example:80/4":   moved("307", "http://b.example/5"),
		"b.example:80/5":   moved("308", "ws://a.example/6"),
		"a.example:80/6":   agreed,
		"a.example:81/":    moved("302", "ws://a.example:82/"),
		"a.example:82/":    agreed,
		"a.example:80/300": moved("300", "/6"),
	}}
	o := &DialOptions{
		Header: http.Header{
			"Authorization": {"Basic bWU6c2VjcmV0"}, "COOKIE": {"a=1"}, "proxy-authorization": {"Basic eA=="},
			"Origin": {"http://page.example"},
		},
		DialContext:  w.dial(t),
		MaxRedirects: 5,
	}
	before := o.Header.Clone()
	nc, _, _, err := Dial(t.Context(), "ws://a.example/", o)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	// Headers meant for a.example are sent neither to b.example nor to the host
	// that it redirects to.
	credentials := " Basic bWU6c2VjcmV0"
	want := []string{
		"a.example/" + credentials, "a.example/2?x=1" + credentials, "a.example/3" + credentials, "A.example/4" + credentials,
		"b.example/5", "a.example/6",
	}
	if d := cmp.Diff(want, w.asked("Authorization")); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
	keys := map[string]bool{}
	for i, r := range w.requests {
		if kept := i < 4; (r.Header.Get("Cookie") != "") != kept || (r.Header.Get("Proxy-Authorization") != "") != kept {
			t.Errorf("request %d: %v", i, r.Header)
		}
		if r.Header.Get("Origin") != "http://page.example" {
			t.Errorf("request %d without the other header: %v", i, r.Header)
		}
		keys[r.Header.Get(keyHeader)] = true
	}
	if len(keys) != len(w.requests) {
		t.Errorf("%d keys in %d requests", len(keys), len(w.requests))
	}
	if d := cmp.Diff(before, o.Header); d != "" {
		t.Errorf("the caller's Header was changed (-before +after):\n%s", d)
	}

	t.Run("another port", func(t *testing.T) {
		w.requests = nil
		nc, _, _, err := Dial(t.Context(), "ws://a.example:81/", o)
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		if d := cmp.Diff([]string{"a.example:81/" + credentials, "a.example:82/"}, w.asked("Authorization")); d != "" {
			t.Errorf("requests (-want +got):\n%s", d)
		}
	})
	t.Run("no such redirect", func(t *testing.T) {
		var refusal *Error
		if _, _, _, err := Dial(t.Context(), "ws://a.example/300", o); !errors.As(err, &refusal) || refusal.Status != 300 {
			t.Errorf("error %v", err)
		}
	})
}

func TestDialRedirectRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		most   int
		answer string
		status int
		reason string
	}{
		{"by default", 0, moved("302", "/2"), 302, `the server redirects to Location "/2", which is not followed`},
		{"negative", -1, moved("302", "/2"), 302, `the server redirects to Location "/2", which is not followed`},
		{"without end", 3, moved("302", "/"), 302, `the server redirects to Location "/", which is not followed after 3 others`},
		{"other scheme", 3, moved("302", "ftp://h/"), 302, `the server redirects to Location "ftp://h/", which is not followed: scheme is "ftp", want ws or wss`},
		{"no URL", 3, moved("302", "ws://h:x/"), 302, `the server redirects to Location "ws://h:x/", which is not followed: it is not a URL`},
		{"fragment", 3, moved("302", "/2#a"), 302, `the server redirects to Location "/2#a", which is not followed: a fragment is not allowed`},
		{"two places", 3, moved("302", "/2", "Location: /3"), 302, "the server gave no reason"},
		{"no place", 3, moved("302", ""), 302, "the server gave no reason"},
		{"to a refusal", 3, moved("302", "/nowhere"), 404, "the server gave no reason"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &web{answers: map[string]string{"h:80/": c.answer}}
			nc, _, _, err := Dial(t.Context(), "ws://h/", &DialOptions{DialContext: w.dial(t), MaxRedirects: c.most})
			var refusal *Error
			if nc != nil || !errors.As(err, &refusal) {
				t.Fatalf("got %v, %v; want an *Error", nc, err)
			}
			if refusal.Status != c.status || refusal.Reason != c.reason {
				t.Errorf("%d %s\nwant %d %s", refusal.Status, refusal.Reason, c.status, c.reason)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct{ from, location, want, err string }{
		{"ws://h/a/b?c", "d", "ws://h/a/d", ""},
		{"ws://h/a/b?c", "?e", "ws://h/a/b?e", ""},
		{"ws://h", "wss://h", "wss://h", ""},
		{"ws://h/", "https://h/", "wss://h/", ""},
		{"ws://h/", "HTTP://g:81/", "ws://g:81/", ""},
		{"ws://[fe80::1%25eth0]:81/", "/x", "ws://[fe80::1%25eth0]:81/x", ""},
		{"wss://h/", "//g/x", "wss://g/x", ""},
		{"wss://h/", "https://g/", "wss://g/", ""},
		{"wss://h/", "ws://h/", "", "ws is less secure than wss"},
		{"wss://h/", "http://h/", "", "ws is less secure than wss"},
		{"ws://h/", "wss:g", "", "it must begin with ws:// or wss://"},
		{"ws://h/", "ws://me:secret@h/", "", "it contains a user, which a server must not choose"},
		{"ws://h/", "javascript:alert(1)", "", "it must begin with ws:// or wss://"},
	} {
		from, err := parseTarget(c.from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := from.resolve(c.location)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s to %s: %v, want %s", c.from, c.location, err, c.err)
			}
			continue
		}
		if err != nil || got.url.String() != c.want {
			t.Errorf("%s to %s: %v, %v; want %s", c.from, c.location, got.url, err, c.want)
		}
	}
}

// From ws to wss on one host nothing is dropped: the connection becomes safer,
// and no other host learns anything.
func TestDialRedirectToTLS(t *testing.T) {
	ca := newAuthority(t)
	seen := make(chan *http.Request, 1)
	secure, outcomes, _ := serveTLS(t, &Upgrader{Header: func(r *http.Request) http.Header {
		seen <- r
		return nil
	}}, &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, x509.Certificate{DNSNames: []string{"chat.example"}})},
		Time:         onThatDay,
	})
	plain := (&web{answers: map[string]string{"chat.example:80/": moved("308", "https://chat.example/room")}}).dial(t)
	nc, _, _, err := Dial(t.Context(), "ws://chat.example/", &DialOptions{
		Header:       http.Header{"Authorization": {"Basic bWU6c2VjcmV0"}},
		TLSConfig:    &tls.Config{RootCAs: ca.pool, Time: onThatDay},
		MaxRedirects: 1,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "chat.example:443" {
				return secure(ctx, network, addr)
			}
			return plain(ctx, network, addr)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if r := <-seen; r.RequestURI != "/room" || r.Host != "chat.example" || r.Header.Get("Authorization") == "" {
		t.Errorf("request for %s at %s with %v", r.RequestURI, r.Host, r.Header)
	}
	assertTalk(t, nc, (<-outcomes).nc)
}
