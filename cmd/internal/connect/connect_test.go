package connect

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, args ...string) (*Options, error) {
	t.Helper()
	o := &Options{}
	f := flag.NewFlagSet("test", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.AddFlags(f)
	if err := f.Parse(args); err != nil {
		t.Fatalf("%q: %v: it may hold a password", args, err)
	}
	return o, o.Complete()
}

// Every flag stands in Help, which names no other.
func TestHelp(t *testing.T) {
	f := flag.NewFlagSet("test", flag.ContinueOnError)
	new(Options).AddFlags(f)
	f.VisitAll(func(g *flag.Flag) {
		if !strings.Contains(Help, "--"+g.Name+" ") {
			t.Errorf("--%s is not described", g.Name)
		}
	})
	for line := range strings.Lines(Help) {
		if name, ok := strings.CutPrefix(line, "  --"); ok {
			if name, _, _ = strings.Cut(name, " "); f.Lookup(name) == nil {
				t.Errorf("there is no --%s", name)
			}
		}
		if len(line) > 82 {
			t.Errorf("%d characters in %q", len(line)-1, line)
		}
	}
}

func TestFlags(t *testing.T) {
	o, err := parse(t, "--header", "x-a: 1:2", "--header=x-a:3", "--header", "hOST:  chat.example:81 ", "--origin", "http://a",
		"--subprotocol", "a, b", "--subprotocol", "c", "--insecure", "--proxy", "proxy:3128")
	if err != nil {
		t.Fatal(err)
	}
	want := &Options{Header: map[string][]string{"x-a": {"1:2", "3"}, "Origin": {"http://a"}}, Host: "chat.example:81",
		Subprotocols: []string{"a", "b", "c"}, Insecure: true, Proxy: "proxy:3128"}
	if diff := cmp.Diff(want, o, cmp.AllowUnexported(Options{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range []struct{ flag, want string }{
		{"--header=Cookie", "want 'NAME: VALUE'"},
		{"--header=: b", "want 'NAME: VALUE'"},
		{"--header=Host:", "Host is empty"},
		{"--header=X: a\r\nY: b", "control character"},
		{"--header=Upgrade: h2c", "Upgrade is set by the handshake itself"},
		{"--header=sec-websocket-key: a", "sec-websocket-key is set by the handshake itself"},
		{"--proxy=ftp://p", `scheme is "ftp", want http://`},
		{"--proxy=http://", "names no host"},
		{"--proxy=http://a:secret#b@p:1", "percent-encoded"},
		{"--proxy=http://p:1/secret", "more than a host and port"},
		{"--proxy=http://a%3Ab:secret@p", "colon"},
	} {
		if _, err := parse(t, c.flag); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.flag, err, c.want)
		}
	}
	if _, err := parse(t, "--header=Host: a", "--header=host: b"); err == nil || !strings.Contains(err.Error(), "Host is there twice") {
		t.Errorf("two hosts: %v", err)
	}
}

// The environment is read as by other programs.
func TestProxyFor(t *testing.T) {
	for _, c := range []struct {
		env, flag, target, want, err string
	}{
		{"", "", "ws://h/", "", ""},
		{"HTTP_PROXY=http://p:1", "", "ws://h/", "http://p:1", ""},
		{"HTTP_PROXY=http://p:1", "", "wss://h/", "", ""},
		{"http_proxy=http://p:1 HTTP_PROXY=http://q:1", "", "ws://h/", "http://p:1", ""},
		{"http_proxy=p:1", "", "ws://h/", "http://p:1", ""},
		{"https_proxy=https://u:p@p:1/", "", "wss://h/", "https://u:p@p:1/", ""},
		{"all_proxy=socks5h://p:1", "", "ws://h/", "socks5h://p:1", ""},
		{"ALL_PROXY=socks://p:1", "", "wss://h/", "socks5://p:1", ""},
		{"ALL_PROXY=socks5://p:1 HTTPS_PROXY=http://q:1", "", "wss://h/", "http://q:1", ""},
		{"ALL_PROXY=socks5://p:1 NO_PROXY=h", "", "ws://h/", "", ""},
		{"ALL_PROXY=socks5://p:1 NO_PROXY=*", "", "ws://h/", "", ""},
		{"ALL_PROXY=http://p:1 no_proxy=a,.example", "", "ws://chat.example/", "", ""},
		{"ALL_PROXY=http://p:1 no_proxy=a,.example", "", "ws://example/", "http://p:1", ""},
		{"ALL_PROXY=http://p:1 no_proxy=10.0.0.0/8", "", "ws://10.1.2.3:99/", "", ""},
		{"ALL_PROXY=http://p:1 no_proxy=h:81", "", "ws://h:80/", "http://p:1", ""},
		{"ALL_PROXY=http://p:1 no_proxy=h:443", "", "wss://h/", "", ""},
		{"HTTP_PROXY=http://p:1", "", "ws://localhost:99/", "", ""},
		{"HTTP_PROXY=http://p:1", "", "ws://[::1]:99/", "", ""},
		{"HTTP_PROXY=http://p:1 NO_PROXY=*", "q:2", "ws://localhost/", "http://q:2", ""},
		{"HTTP_PROXY=http://p:1", "none", "ws://h/", "", ""},
		{"HTTP_PROXY=ftp://u:secret@p", "", "ws://h/", "", `HTTP_PROXY: the proxy's scheme is "ftp"`},
		{"HTTP_PROXY=http://u:sec#ret@p", "", "ws://h/", "", "HTTP_PROXY: the proxy's URL cannot be read"},
		{"HTTP_PROXY=http://p:1 REQUEST_METHOD=GET", "", "ws://h/", "", "CGI"}, // a header Proxy sets it there
		{"http_proxy=http://p:1 REQUEST_METHOD=GET", "", "ws://h/", "http://p:1", ""},
		// A proxy that is not used may be wrong.
		{"HTTP_PROXY=ftp://p", "", "ws://localhost/", "", ""},
		{"ALL_PROXY=socks4://p:1 NO_PROXY=*", "", "ws://h/", "", ""},
		{"HTTP_PROXY=http://p:1 REQUEST_METHOD=GET NO_PROXY=h", "", "ws://h/", "", ""},
		{"HTTP_PROXY=http://p:99999", "", "ws://h/", "", "port is 99999"},
		{"HTTP_PROXY=http://p:0", "", "ws://h/", "", "port is 0"},
		{"HTTP_PROXY=http://p:1 NO_PROXY=[fd00::1]", "", "ws://[fd00::1]/", "", ""},
		{"HTTP_PROXY=http://p:1 NO_PROXY=[fd00::1]:81", "", "ws://[fd00::1]/", "http://p:1", ""},
		{"HTTP_PROXY=http://p:1 NO_PROXY=fd00::/8", "", "ws://[fd00::1]/", "", ""},
		{"HTTP_PROXY=http://p:1 NO_PROXY=chat.example.", "", "ws://chat.example/", "", ""},
		{"HTTP_PROXY=http://p:1 NO_PROXY=.example", "", "ws://chat.example.:81/", "", ""},
		{"HTTP_PROXY=http://p:1 NO_PROXY=chat.example.", "", "ws://other.example./", "http://p:1", ""},
	} {
		for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"} {
			t.Setenv(name, "")
			t.Setenv(strings.ToUpper(name), "")
		}
		for pair := range strings.FieldsSeq(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			t.Setenv(name, value)
		}
		target, err := url.Parse(c.target)
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&Options{Proxy: c.flag}).proxyFor(target)
		text := ""
		if got != nil {
			text = got.String()
		}
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "sec")):
			t.Errorf("%s: %v, want %q", c.env, err, c.err)
		case c.err == "" && (err != nil || text != c.want):
			t.Errorf("%s, --proxy %q, %s: %q, %v; want %q", c.env, c.flag, c.target, text, err, c.want)
		}
	}
}

// A URL's user becomes a header, once, and is not in the URL any more.
func TestEndpoint(t *testing.T) {
	for _, c := range []struct{ raw, clean, authorization string }{
		{"ws://h/", "ws://h/", ""},
		{"ws://@h/", "ws://h/", ""},
		{"WSS://a:b@h:1/p?q=@#", "WSS://h:1/p?q=@#", "Basic YTpi"},
		{"ws://a:b@c@h/", "ws://h/", "Basic YTpiQGM="},
		{"ws://a%20:%2F@[::1]:81", "ws://[::1]:81", "Basic YSA6Lw=="},
		{"ws://a:b@127.0.0.1:{port}/x", "ws://127.0.0.1:{port}/x", "Basic YTpi"},
		{"ws://h/@a", "ws://h/@a", ""},
		{"nonsense", "nonsense", ""},
		{"ws://ü:ö@h/é", "ws://h/é", "Basic w7w6w7Y="},
		{"ws://h/ü@", "ws://h/ü@", ""},
	} {
		o := &Options{}
		got, err := o.Endpoint(c.raw)
		if err != nil || got != c.clean || o.Header.Get("Authorization") != c.authorization {
			t.Errorf("%s: %q, %v, %v", c.raw, got, o.Header, err)
		}
	}
	for _, raw := range []string{"ws://a:secret/b@h/", "ws://a:secret#b@h/", "ws://a:secret%@h/", "ws://a%3Ac:secret@h/", "ws://a:secret%00@h/", "ws://a:secret\x00@h/"} {
		if got, err := new(Options).Endpoint(raw); err == nil || strings.Contains(err.Error()+got, "secret") {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
}

// A template has no port yet.
func TestCheckURL(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://h/": "", "wss://[::1]:65535": "", "ws://127.0.0.1:{port}/": "",
		"http://h/": "scheme", "h:80": "scheme", "ws:///": "no host", "ws://:80/": "no host",
		"ws://h:0/": "port is 0", "ws://h:65536/": "port is 65536", "ws://h:x/": "cannot be read",
	} {
		if err := CheckURL(raw); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", raw, err, want)
		}
	}
}

// A key that cannot be used is told by its own file.
func TestKeyErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	block := func(kind, text string) string {
		return "-----BEGIN " + kind + "-----\n" + text + "AAAA\n-----END " + kind + "-----\n"
	}
	cert := file("cert.pem", block("CERTIFICATE", ""))
	for name, text := range map[string]string{
		"pkcs8.pem":   block("ENCRYPTED PRIVATE KEY", ""),
		"openssl.pem": block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"),
	} {
		if _, err := parse(t, "--cert", cert, "--key", file(name, text)); err == nil || !strings.Contains(err.Error(), name+": the key is encrypted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parse(t, "--cert", cert); err == nil || !strings.Contains(err.Error(), "--key names the file of the key") {
		t.Errorf("no key: %v", err)
	}
}

// A server's error about a client certificate points to the flags.
func TestExplain(t *testing.T) {
	for alert, want := range map[string]string{
		"tls: certificate required":          "--cert FILE and --key FILE show a client certificate",
		"tls: unknown certificate authority": "does not accept the client certificate of --cert, or wants one",
		"tls: expired certificate":           "does not accept the client certificate of --cert, or wants one",
		"tls: internal error":                "",
	} {
		err := Explain(fmt.Errorf("read: %w", &net.OpError{Op: "remote error", Err: errors.New(alert)}))
		if got := strings.Contains(err.Error(), "("); got != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", alert, err)
		}
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"--url ws://a:b@h/x":                           "--url ws://***@h/x",
		"--url=ws://a:b@c@h/x?m=a@b":                   "--url=ws://***@h/x?m=a@b",
		"--url ws://h/@me":                             "--url ws://h/@me",
		"--proxy a:b@h:1":                              "--proxy ***@h:1",
		"-proxy=a:b@h:1":                               "-proxy=***@h:1",
		"--proxy=http://a:b@h:1":                       "--proxy=http://***@h:1",
		"--header Authorization:x":                     "--header Authorization: ***",
		"--header=x-api-key:x":                         "--header=x-api-key: ***",
		"-header cookie:a=b":                           "-header cookie: ***",
		"--header X-A:b":                               "--header X-A:b",
		"--conns 5 --cert auth:x --exec serve@ws://h/": "--conns 5 --cert auth:x --exec serve@ws://h/",
	} {
		args := strings.Fields(in)
		if got := strings.Join(Redact(args), " "); got != want {
			t.Errorf("%s: %s; want %s", in, got, want)
		}
		if strings.Join(args, " ") != in {
			t.Error("the command line was changed")
		}
	}
}
