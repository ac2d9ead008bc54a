package handshake

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestA01Origin(t *testing.T) {
	listed := []string{"https://good.example", "http://good.example:8080", "null", "https://xn--bcher-kva.example"}
	for name, c := range map[string]struct {
		origins []string
		origin  string
		ok      bool
	}{
		"listed":                {listed, "https://good.example", true},
		"listed with port":      {listed, "http://good.example:8080", true},
		"listed IDN":            {listed, "https://xn--bcher-kva.example", true},
		"A01 case":              {listed, "HTTPS://Good.EXAMPLE", true},
		"A01 evil":              {listed, "https://evil.example", false},
		"A01 null":              {listed, "null", false},
		"A01 http":              {listed, "http://good.example", false},
		"A01 :444":              {listed, "https://good.example:444", false},
		"A01 :443":              {listed, "https://good.example:443", false},
		"A01 suffix":            {listed, "https://good.example.evil", false},
		"A01 prefix":            {listed, "https://evilgood.example", false},
		"A01 subdomain":         {listed, "https://evil.good.example", false},
		"A01 trailing dot":      {listed, "https://good.example.", false},
		"A01 trailing slash":    {listed, "https://good.example/", false},
		"A01 userinfo":          {listed, "https://good.example@evil.example", false},
		"A01 space":             {listed, "https://good.example https://evil.example", false},
		"empty":                 {listed, "", true},
		"A01 Kelvin sign":       {[]string{"https://k.example"}, "https://\u212A.example", false},
		"any":                   {[]string{"*"}, "https://evil.example", true},
		"any, null":             {[]string{"https://good.example", "*"}, "null", true},
		"A01 star is no prefix": {[]string{"https://*.good.example"}, "https://a.good.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			u := &Upgrader{Origins: c.origins}
			raw := with("Origin: " + c.origin)
			if c.ok {
				assertUpgrade(t, u, raw)
				return
			}
			assertRefusal(t, u, raw, 403, "Origin header", "may not connect", quote(c.origin))
		})
	}
	t.Run("A01 two headers", func(t *testing.T) {
		raw := with("Origin: https://good.example", "Origin: https://good.example")
		for _, origins := range [][]string{listed, {"*"}} {
			assertRefusal(t, &Upgrader{Origins: origins}, raw, 403, "Origin header, given 2 times")
		}
	})
	t.Run("A02 absent", func(t *testing.T) {
		assertUpgrade(t, &Upgrader{Origins: listed}, hello+"\r\n")
	})
}

// The host that the request line names is the client's to choose.
func TestH11AbsoluteForm(t *testing.T) {
	raw := edit(t, "GET /chat", "GET http://evil.example/chat")
	raw = strings.Replace(raw, "\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n", 1)
	for _, u := range []*Upgrader{{}, {CheckOrigin: OwnAddress}, {Origins: []string{"http://good.example"}}} {
		assertRefusal(t, u, raw, 403, "http://evil.example", "refused")
	}
	// The form itself is legal.
	raw = strings.ReplaceAll(raw, "Origin: http://evil.example", "Origin: http://good.example")
	assertUpgrade(t, &Upgrader{Origins: []string{"http://good.example"}}, raw)
}

// textAddr is an address as another library's listener may spell it.
type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

// tlsState stands for a request that came over TLS.
var tlsState = &tls.ConnectionState{}

func TestOwnOrigin(t *testing.T) {
	tcp := func(s string) net.Addr {
		addr, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return addr
	}
	for _, c := range []struct {
		local  net.Addr
		tls    *tls.ConnectionState
		origin string
		ok     bool
	}{
		{tcp("127.0.0.1:8080"), nil, "http://127.0.0.1:8080", true},
		{tcp("127.0.0.1:8080"), nil, "http://localhost:8080", true},
		{tcp("127.0.0.1:8080"), nil, "HTTP://LocalHost:8080", true},
		{tcp("127.0.0.1:8080"), nil, "https://127.0.0.1:8080", false},
		{tcp("127.0.0.1:8080"), nil, "https://localhost:8080", false},
		{tcp("127.0.0.1:8080"), nil, "http://127.0.0.1:8081", false},
		{tcp("127.0.0.1:8080"), nil, "http://127.0.0.1", false},
		{tcp("127.0.0.1:8080"), nil, "http://localhost:80", false},
		{tcp("127.0.0.1:8080"), nil, "http://127.0.0.2:8080", false},
		{tcp("127.0.0.1:8080"), nil, "http://good.example:8080", false},
		{tcp("127.0.0.1:8080"), nil, "null", false},
		{tcp("127.0.0.1:8443"), tlsState, "https://127.0.0.1:8443", true},
		{tcp("127.0.0.1:8443"), tlsState, "http://127.0.0.1:8443", false},
		{tcp("127.0.0.1:80"), nil, "http://127.0.0.1", true},
		{tcp("127.0.0.1:80"), tlsState, "https://127.0.0.1", false},
		{tcp("127.0.0.1:443"), tlsState, "https://localhost", true},
		{tcp("127.0.0.1:443"), nil, "http://localhost", false},
		{tcp("127.0.0.1:443"), nil, "http://localhost:443", true},
		{tcp("[::1]:8080"), nil, "http://[::1]:8080", true},
		{textAddr("[::ffff:127.0.0.1]:8080"), nil, "http://127.0.0.1:8080", true},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 8080, Zone: "eth0"}, nil, "http://[fe80::1]:8080", true},
		{&net.UnixAddr{Name: "/run/chat", Net: "unix"}, nil, "http://localhost", false},
		{nil, nil, "http://localhost", false},
	} {
		r := parsed(t, with("Origin: "+c.origin))
		r.TLS = c.tls
		if c.local != nil {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.local))
		}
		err := OwnAddress(r, c.origin)
		if (err == nil) != c.ok {
			t.Errorf("%q on %v, TLS %t: %v", c.origin, c.local, c.tls != nil, err)
		}
	}
}

// OwnAddress, where net/http says which address it is.
func TestOwnOriginServed(t *testing.T) {
	addr, outcomes := serve(t, &Upgrader{CheckOrigin: OwnAddress})
	_, port, _ := net.SplitHostPort(addr)
	for origin, status := range map[string]int{
		"http://" + addr:                101,
		"http://localhost:" + port:      101,
		"http://good.example:" + port:   403, // as Host says
		"https://" + addr:               403,
		"http://localhost.evil:" + port: 403,
	} {
		if rep := send(t, addr, with("Origin: "+origin)); rep.StatusCode != status {
			t.Errorf("Origin %s: status %d, want %d", origin, rep.StatusCode, status)
		}
		<-outcomes
	}
}

func TestCheckOriginHook(t *testing.T) {
	var asked []string
	u := &Upgrader{
		Origins: []string{"https://good.example"},
		CheckOrigin: func(r *http.Request, origin string) error {
			asked = append(asked, r.URL.Path+" "+origin)
			if strings.HasSuffix(origin, ".friend") {
				return nil
			}
			return errors.New("no friend of ours")
		},
	}
	assertUpgrade(t, u, with("Origin: https://a.friend"))
	assertUpgrade(t, u, with("Origin: https://good.example"))
	assertRefusal(t, u, with("Origin: https://evil.example"), 403, "https://evil.example", "no friend of ours")
	assertUpgrade(t, u, hello+"\r\n")
	if d := cmp.Diff([]string{"/chat https://a.friend", "/chat https://evil.example"}, asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

func TestSameHost(t *testing.T) {
	for _, c := range []struct {
		host   string
		tls    *tls.ConnectionState
		origin string
		ok     bool
	}{
		{"good.example", nil, "http://good.example", true},
		{"good.example", nil, "https://good.example", true}, // a proxy ended the TLS
		{"good.example", nil, "HTTP://Good.EXAMPLE", true},
		{"good.example:80", nil, "http://good.example", true},
		{"good.example", nil, "http://good.example:80", true},
		{"good.example:443", nil, "https://good.example", true},
		{"good.example:8080", nil, "http://good.example:8080", true},
		{"[::1]:8080", nil, "http://[::1]:8080", true},
		{"[::1]", nil, "http://[::1]:80", true},
		{"good.example:80", nil, "https://good.example", false},
		{"good.example:443", nil, "http://good.example", false},
		{"good.example:8080", nil, "http://good.example", false},
		{"good.example", nil, "http://good.example:8080", false},
		{"good.example", nil, "http://evil.example", false},
		{"good.example", nil, "http://good.example.evil", false},
		{"good.example", nil, "http://a.good.example", false},
		{"good.example", nil, "http://good.example.", false},
		{"good.example", nil, "http://good.example/", false},
		{"good.example", nil, "http://u@good.example", false},
		{"good.example", nil, "good.example", false},
		{"good.example", nil, "ws://good.example", false},
		{"good.example", nil, "null", false},
		{"k.example", nil, "http://\u212A.example", false},
		{"good.example", tlsState, "https://good.example", true},
		{"good.example:443", tlsState, "https://good.example", true},
		{"good.example:8443", tlsState, "https://good.example:8443", true},
		{"good.example", tlsState, "http://good.example", false},
		{"good.example:80", tlsState, "http://good.example", false},
	} {
		r := parsed(t, with("Origin: "+c.origin))
		r.Host, r.TLS = c.host, c.tls
		err := new(Upgrader).VerifyOrigin(r)
		if (err == nil) != c.ok {
			t.Errorf("%q to %q, TLS %t: %v", c.origin, c.host, c.tls != nil, err)
		}
		if err != nil && !strings.Contains(err.Error(), quote(c.origin)) {
			t.Errorf("%v does not name the origin", err)
		}
	}
}

// A request line that is no path replaces Host: nothing can be compared with it.
func TestSameHostOtherForms(t *testing.T) {
	for _, uri := range []string{"http://good.example/chat", "", "*", "good.example:80"} {
		r := parsed(t, with("Origin: http://good.example"))
		r.RequestURI = uri
		if SameHost(r, "http://good.example") == nil {
			t.Errorf("request line %q is accepted", uri)
		}
	}
}
