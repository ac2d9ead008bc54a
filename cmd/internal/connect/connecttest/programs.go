package connecttest

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secrets are what no program may print or keep.
var secrets = []string{
	"urlsecret", "proxysecret",
	base64.StdEncoding.EncodeToString([]byte("ada:urlsecret")), base64.StdEncoding.EncodeToString([]byte("me:proxysecret")),
}

// CheckSecrets fails the test if what a program printed or kept holds a secret.
func CheckSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s holds %q:\n%s", where, s, text)
		}
	}
}

// Programs tests that a program reaches servers in every way that package connect
// knows. run makes one successful connection to url with more flags, and returns
// what was printed, and whether all went well.
func Programs(t *testing.T, run func(t *testing.T, url string, flags ...string) (out string, ok bool)) {
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "no_proxy"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToUpper(name), "")
	}
	ca := NewAuthority(t)
	cert, key := ca.IssueClient("ada")
	good := func(t *testing.T, url string, flags ...string) {
		t.Helper()
		out, ok := run(t, url, flags...)
		if !ok {
			t.Errorf("%s %q failed:\n%s", url, flags, out)
		}
		CheckSecrets(t, "what was printed", out)
	}
	bad := func(t *testing.T, want, url string, flags ...string) {
		t.Helper()
		out, ok := run(t, url, flags...)
		if ok || !strings.Contains(out, want) {
			t.Errorf("%s %q: success %v, want failure and %q:\n%s", url, flags, ok, want, out)
		}
		CheckSecrets(t, "what was printed", out)
	}
	s := Serve(t, nil)
	t.Run("headers", func(t *testing.T) {
		good(t, "ws://"+s.Addr+"/", "--header", "Host: chat.example", "--header", "X-A: 1", "--origin", "http://page.example")
		r := s.Request()
		if r.Host != "chat.example" || r.Header.Get("X-A") != "1" || r.Header.Get("Origin") != "http://page.example" {
			t.Errorf("the server was asked for Host %s with %v", r.Host, r.Header)
		}
	})
	t.Run("credentials", func(t *testing.T) {
		good(t, "ws://ada:urlsecret@"+s.Addr+"/")
		if user, password, _ := s.Request().BasicAuth(); user != "ada" || password != "urlsecret" {
			t.Errorf("the server saw user %q, password %q", user, password)
		}
		good(t, "ws://ada:urlsecret@"+s.Addr+"/", "--header", "Authorization: Bearer b")
		if got := s.Request().Header["Authorization"]; len(got) != 1 || got[0] != "Bearer b" {
			t.Errorf("Authorization is %q", got)
		}
		bad(t, "percent-encoded", "ws://ada:urlsecret/2@"+s.Addr+"/")
		bad(t, "", "ws://ada:urlsecret@127.0.0.1:1/")
	})
	t.Run("certificates", func(t *testing.T) {
		strict := Serve(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue("chat.invalid")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool})
		url := "wss://" + strict.Addr + "/"
		good(t, url, "--cacert", ca.File, "--cert", cert, "--key", key, "--header", "Host: chat.example")
		if r := strict.Request(); r.Host != "chat.example" {
			t.Errorf("the server was asked for Host %s", r.Host)
		}
		good(t, url, "--ca", ca.File, "--cert", cert, "--key", key)
		good(t, url, "--insecure", "--cert", cert, "--key", key)
		bad(t, "", url, "--cacert", ca.File)
		bad(t, "certificate", url, "--cert", cert, "--key", key)
		bad(t, "--key is there without --cert", url, "--key", key)
		bad(t, cert, url, "--cert", cert)
	})
	t.Run("proxies", func(t *testing.T) {
		secure := Serve(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue("chat.invalid")}})
		for _, kind := range Kinds {
			config := &tls.Config{Certificates: []tls.Certificate{ca.Issue()}}
			plain, over := NewProxy(t, kind, s.Addr, config), NewProxy(t, kind, secure.Addr, config)
			at := func(p *Proxy) string { return kind + "://me:proxysecret@" + p.Addr }
			good(t, "ws://chat.invalid/", "--proxy", at(plain), "--cacert", ca.File)
			asked(t, plain, "chat.invalid:80")
			good(t, "wss://chat.invalid:81/", "--proxy", at(over), "--cacert", ca.File)
			asked(t, over, "chat.invalid:81")
			// This machine, too, if it is said.
			good(t, "ws://127.0.0.1:81/", "--proxy="+at(plain), "--cacert", ca.File)
			asked(t, plain, "127.0.0.1:81")
			bad(t, "", "ws://chat.invalid/", "--proxy", kind+"://you:urlsecret@"+plain.Addr, "--cacert", ca.File)
			asked(t, plain)
		}
		bad(t, "want 'NAME: VALUE'", "ws://chat.invalid/", "--header", "Authorization Bearer urlsecret")
		bad(t, "scheme", "ws://chat.invalid/", "--proxy", "gopher://me:proxysecret@127.0.0.1:1")
	})
	t.Run("environment", func(t *testing.T) {
		p := NewProxy(t, "http", s.Addr, nil)
		q := NewProxy(t, "socks5", s.Addr, nil)
		t.Setenv("HTTP_PROXY", "http://me:proxysecret@"+p.Addr)
		t.Setenv("ALL_PROXY", "socks5://me:proxysecret@"+q.Addr)
		t.Setenv("NO_PROXY", "10.0.0.0/8, .direct.invalid")
		good(t, "ws://chat.invalid/")
		asked(t, p, "chat.invalid:80")
		t.Setenv("HTTP_PROXY", "")
		good(t, "ws://chat.invalid/")
		asked(t, q, "chat.invalid:80")
		good(t, "ws://"+s.Addr+"/") // this machine is reached directly
		asked(t, q)
		t.Setenv("ALL_PROXY", "http://me:proxysecret/@"+q.Addr)
		bad(t, "ALL_PROXY: the proxy's URL", "ws://chat.invalid/")
	})
}

func asked(t *testing.T, p *Proxy, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, p.Asked()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}
}
