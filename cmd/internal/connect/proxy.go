package connect

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// proxyFor is the proxy through which a URL is reached; nil is none.
func (o *Options) proxyFor(target *url.URL) (*url.URL, error) {
	if o.Proxy != "" {
		return o.explicitProxy()
	}
	// ws is to wss what http is to https (RFC 6455 §3).
	u := *target
	name := "HTTP_PROXY"
	if u.Scheme = "http"; target.Scheme == "wss" {
		u.Scheme, name = "https", "HTTPS_PROXY"
	}
	name, text := environment(name, "ALL_PROXY")
	if text == "" || direct(&u) {
		return nil, nil // and an error in a proxy that is not used does not matter
	}
	if name == "HTTP_PROXY" && os.Getenv("REQUEST_METHOD") != "" {
		return nil, errors.New("HTTP_PROXY is not believed in a CGI program, where a client's Proxy header sets it; http_proxy or --proxy is")
	}
	through, err := parseProxy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return through, nil
}

// direct reports whether NO_PROXY names what an http or https URL leads to, or it is on
// this machine. Besides what package httpproxy reads, an address may stand in brackets,
// and a name may end with the root's dot: in NO_PROXY, in the URL, or in both.
func direct(target *url.URL) bool {
	_, list := environment("NO_PROXY")
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSuffix(strings.TrimSpace(name), ".")
		if inner, ok := strings.CutPrefix(name, "["); ok && strings.HasSuffix(inner, "]") {
			name = strings.TrimSuffix(inner, "]")
		}
		names = append(names, name)
	}
	u := *target
	if host := u.Hostname(); strings.HasSuffix(host, ".") {
		port := strings.TrimPrefix(u.Host, host)
		u.Host = strings.TrimSuffix(host, ".") + port
	}
	const any = "http://proxy.invalid"
	c := httpproxy.Config{HTTPProxy: any, HTTPSProxy: any, NoProxy: strings.Join(names, ",")}
	through, err := c.ProxyFunc()(&u)
	return err == nil && through == nil
}

// explicitProxy is what --proxy says.
func (o *Options) explicitProxy() (*url.URL, error) {
	if o.Proxy == None {
		return nil, nil
	}
	return parseProxy(o.Proxy)
}

// environment is the first of the variables that is set, in small letters or large:
// the small ones are what other programs prefer.
func environment(names ...string) (name, value string) {
	for _, name := range names {
		for _, n := range []string{strings.ToLower(name), name} {
			if v := strings.TrimSpace(os.Getenv(n)); v != "" {
				return n, v
			}
		}
	}
	return "", ""
}

// parseProxy reads a proxy's URL; without a scheme it is HTTP. Its errors do not
// repeat the URL, which may hold a password.
func parseProxy(text string) (*url.URL, error) {
	const forms = "want http://, https:// or socks5://HOST:PORT"
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the proxy's URL cannot be read, " + forms + "; in a user name or password, characters like / ? # @ % must be percent-encoded")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	case "socks": // as desktops write it
		u.Scheme = "socks5"
	default:
		return nil, fmt.Errorf("the proxy's scheme is %q, %s", u.Scheme, forms)
	}
	switch {
	case u.Hostname() == "":
		return nil, errors.New("the proxy's URL names no host, " + forms)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the proxy's URL holds more than a host and port, " + forms)
	case strings.Contains(u.User.Username(), ":"):
		return nil, errors.New("the proxy's user name contains a colon")
	}
	if err := checkPort(u.Port()); err != nil {
		return nil, fmt.Errorf("the proxy's URL: %w", err)
	}
	return u, nil
}
