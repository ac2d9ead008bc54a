package config

import "net/url"

// webhook is the URL of a web service, or nothing. One with a password is refused: it would be
// shown in logs and in lists of processes.
func webhook() kind[string] {
	return textKind("a URL such as https://alerts.example/hawser without a user and password, or nothing", "URL", func(s string) (string, error) {
		if s == "" {
			return s, nil
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
			return "", errRefused
		}
		return s, nil
	}, same)
}
