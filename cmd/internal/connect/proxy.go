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
	if text == "" {
		return nil, nil
	}
	through, err := parseProxy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	_, no := environment("NO_PROXY")
	c := httpproxy.Config{HTTPProxy: through.String(), HTTPSProxy: through.String(), NoProxy: no,
		CGI: name == "HTTP_PROXY" && os.Getenv("REQUEST_METHOD") != ""}
	// Its errors are about CGI only.
	chosen, err := c.ProxyFunc()(&u)
	if err != nil || chosen == nil {
		return nil, err
	}
	return through, nil
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
			if v := os.Getenv(n); v != "" {
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
		return nil, errors.New("the proxy's user name has a colon")
	}
	return u, nil
}
