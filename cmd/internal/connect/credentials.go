package connect

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// authority is a URL's scheme and what follows it up to the path (RFC 3986 §3.2).
var authority = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)`)

// cutUser takes the user and password out of a URL.
func cutUser(raw string) (clean string, user *url.Userinfo, err error) {
	raw = EncodeUser(raw)
	if m := authority.FindStringSubmatch(raw); m != nil {
		if i := strings.LastIndexByte(m[2], '@'); i >= 0 {
			u, err := url.Parse("ws://" + m[2][:i+1] + "h/")
			if err != nil {
				return "", nil, errUser
			}
			if u.User.String() != "" {
				user = u.User
			}
			raw = m[1] + m[2][i+1:] + raw[len(m[0]):]
		}
	}
	// The rest may hold half of a password: ws://user:pass/word@host/.
	if u, err := url.Parse(strings.ReplaceAll(raw, "{port}", "1")); strings.Contains(raw, "@") && (err != nil || strings.Contains(u.Fragment, "@")) {
		return "", nil, errUser
	}
	return raw, user, nil
}

// EncodeUser percent-encodes letters beyond ASCII in a URL's user and password, as other
// programs do: package url refuses them.
func EncodeUser(raw string) string {
	m := authority.FindStringSubmatchIndex(raw)
	if m == nil {
		return raw
	}
	end := strings.LastIndexByte(raw[:m[5]], '@')
	if end < m[4] {
		return raw
	}
	var b strings.Builder
	for _, c := range []byte(raw[m[4]:end]) {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return raw[:m[4]] + b.String() + raw[end:]
}

// CheckURL finds out whether connections can be made to a ws or wss URL. Its port may be
// {port}, as in a template.
func CheckURL(raw string) error {
	u, err := url.Parse(strings.ReplaceAll(raw, "{port}", "1"))
	switch {
	case err != nil:
		return errors.New("the URL cannot be read")
	case u.Scheme != "ws" && u.Scheme != "wss":
		return fmt.Errorf("the URL's scheme is %q, want ws:// or wss://", u.Scheme)
	case u.Hostname() == "":
		return errors.New("the URL names no host")
	}
	if err := checkPort(u.Port()); err != nil {
		return fmt.Errorf("the URL: %w", err)
	}
	return nil
}

func checkPort(port string) error {
	if port == "" {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("the port is %s, want 1 to 65535", port)
	}
	return nil
}

var errUser = errors.New("the URL cannot be parsed; in a user name or password, characters like / ? # @ % must be percent-encoded")

// basic is an Authorization header's value (RFC 7617).
func basic(user *url.Userinfo) (string, error) {
	name := user.Username()
	password, _ := user.Password()
	switch {
	// 2: "a user-id containing a colon character is invalid".
	case strings.Contains(name, ":"):
		return "", errors.New("the URL's user name contains a colon")
	// 2: "The user-id and password MUST NOT contain any control characters".
	case strings.IndexFunc(name+password, unicode.IsControl) >= 0:
		return "", errors.New("the URL's user name or password contains a control character")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password)), nil
}

var (
	urlUser = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s'"]*@`)
	// A proxy may be named without a scheme.
	proxyUser    = regexp.MustCompile(`^(-{1,2}proxy=)?[^/?#\s]*@`)
	secretHeader = regexp.MustCompile(`(?i)^(-{1,2}header=)?(\s*[^:\s]*(?:auth|cookie|token|secret|key|password|credential|session)[^:\s]*\s*:).*$`)
)

// Redact returns a copy of a command line that can be kept: users and passwords in
// URLs, and the values of headers that may hold a secret, are replaced by ***.
func Redact(args []string) []string {
	kept := make([]string, len(args))
	for i, arg := range args {
		arg = urlUser.ReplaceAllString(arg, "${1}***@")
		if i > 0 && (args[i-1] == "--proxy" || args[i-1] == "-proxy") || strings.HasPrefix(strings.TrimLeft(arg, "-"), "proxy=") {
			if !strings.Contains(arg, "://") {
				arg = proxyUser.ReplaceAllString(arg, "${1}***@")
			}
		}
		header := i > 0 && (args[i-1] == "--header" || args[i-1] == "-header") || strings.HasPrefix(strings.TrimLeft(arg, "-"), "header=")
		if header {
			arg = secretHeader.ReplaceAllString(arg, "${1}${2} ***")
		}
		kept[i] = arg
	}
	return kept
}
