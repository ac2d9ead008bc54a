package handshake

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newJar holds cookies that servers at u have set.
func newJar(t *testing.T, u string, cookies ...string) *cookiejar.Jar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(parsedURL(t, u), (&http.Response{Header: http.Header{"Set-Cookie": cookies}}).Cookies())
	return jar
}

func parsedURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// held is what jar would send to u.
func held(t *testing.T, jar http.CookieJar, u string) (list []string) {
	for _, c := range jar.Cookies(parsedURL(t, u)) {
		list = append(list, c.String())
	}
	return list
}

func TestDialSendsCookies(t *testing.T) {
	for _, c := range []struct {
		name   string
		url    string
		header http.Header
		want   []string
	}{
		{"ws", "ws://a.example/", nil, []string{"plain=1"}},
		{"wss", "wss://a.example/", nil, []string{"plain=1; secure=1"}},
		{"path", "ws://a.example/chat/x", nil, []string{"deep=1; plain=1"}},
		{"another host", "ws://b.example/", nil, nil},
		{"behind the header's", "ws://a.example/", http.Header{"Cookie": {"mine=1"}}, []string{"mine=1; plain=1"}},
		{"behind two of the header's", "ws://a.example/", http.Header{"Cookie": {"mine=1", "mine=2"}}, []string{"mine=1; mine=2; plain=1"}},
		{"the header's alone", "ws://b.example/", http.Header{"Cookie": {"mine=1"}}, []string{"mine=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.header.Clone()
			o := &DialOptions{
				Header: c.header,
				Jar:    newJar(t, "https://a.example/", "plain=1; Path=/", "secure=1; Path=/; Secure", "deep=1; Path=/chat"),
			}
			dst, err := parseTarget(c.url)
			if err != nil {
				t.Fatal(err)
			}
			raw, _, err := o.request(dst, o.Header)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, parsed(t, string(raw)).Header["Cookie"]); d != "" {
				t.Errorf("Cookie (-want +got):\n%s", d)
			}
			if d := cmp.Diff(before, o.Header); d != "" {
				t.Errorf("the caller's Header was changed (-before +after):\n%s", d)
			}
		})
	}
}

func TestDialKeepsCookies(t *testing.T) {
	jar := newJar(t, "http://h/")
	nc, _, _, err := dialTo(t, DialOptions{Jar: jar}, add("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Path=/"))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if d := cmp.Diff([]string{"a=1", "b=2"}, held(t, jar, "http://h/")); d != "" {
		t.Errorf("after an agreement (-want +got):\n%s", d)
	}

	_, _, _, err = dialTo(t, DialOptions{Jar: jar}, "HTTP/1.1 401 x\r\nContent-Length: 0\r\nSet-Cookie: a=3; Path=/\r\n\r\n")
	if !errors.As(err, new(*Error)) {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff([]string{"a=3", "b=2"}, held(t, jar, "http://h/")); d != "" {
		t.Errorf("after a refusal (-want +got):\n%s", d)
	}
	if got := held(t, jar, "http://g/"); got != nil {
		t.Errorf("held for another host: %q", got)
	}
}

// A cookie that comes with a redirect goes where it belongs, the jar's to each
// host its own.
func TestDialRedirectCookies(t *testing.T) {
	jar := newJar(t, "http://b.example/", "b=1; Path=/")
	w := &web{answers: map[string]string{
		"a.example:80/":  moved("302", "/2", "Set-Cookie: a=1; Path=/"),
		"a.example:80/2": moved("302", "ws://b.example/3"),
		"b.example:80/3": agreed,
	}}
	nc, _, _, err := Dial(t.Context(), "ws://a.example/", &DialOptions{Jar: jar, MaxRedirects: 2, DialContext: w.dial(t)})
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if d := cmp.Diff([]string{"a.example/", "a.example/2 a=1", "b.example/3 b=1"}, w.asked("Cookie")); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}
