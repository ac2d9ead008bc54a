package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

func originList() kind[[]string] {
	return list("origins scheme://host[:port], or *", "ORIGIN,…", checkOrigin)
}

// What a browser serialises (RFC 6454 §6.2) is ASCII: a scheme, and a host that
// is a name in its ASCII form or an address.
var (
	schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

// checkOrigin refuses what can never equal a browser's Origin header. Otherwise a typing error
// would show up only as a 403 to remote users.
func checkOrigin(o string) error {
	if o == "*" {
		return nil
	}
	scheme, rest, ok := strings.Cut(o, "://")
	if !ok || !schemeForm.MatchString(scheme) {
		return errors.New("does not begin with a scheme such as https://")
	}
	scheme = strings.ToLower(scheme)
	if scheme == "ws" || scheme == "wss" {
		return errors.New("is not the origin of a page, which begins with http:// or https://")
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return fmt.Errorf("has %s after the host", quote(rest[i:]))
	}
	if strings.Contains(rest, "@") {
		return errors.New("has a user name")
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || !isHost(u) || strings.HasSuffix(rest, ":") {
		return fmt.Errorf("has no valid host in %s", quote(rest))
	}
	port := u.Port()
	if port == "" {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("has no valid port in %s", quote(port))
	}
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return fmt.Errorf("names the port %s, which browsers leave out of %s origins", port, scheme)
	}
	return nil
}

func isHost(u *url.URL) bool {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	return nameForm.MatchString(host)
}
