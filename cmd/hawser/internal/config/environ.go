package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/spelling"
)

const (
	envPrefix    = "HAWSER_"
	fileVariable = "HAWSER_CONFIG"

	// publishKeyVariable contains a secret, so it is not a setting: secrets should not be in
	// arguments, or in a file that is shown to others.
	publishKeyVariable = "HAWSER_PUBLISH_KEY"

	// adminKeyVariable has the key for "hawser ban" and other commands. The server does not
	// read it.
	adminKeyVariable = "HAWSER_ADMIN_KEY"

	// redisVariable may contain a password, which the setting must not contain elsewhere.
	redisVariable = "HAWSER_REDIS"
)

// Kubernetes tells every container in a namespace where the services are, in variables named
// after the services: those of a service called hawser, or hawser-redis, have our prefix.
// Docker's links do the same.
//
//	HAWSER_SERVICE_HOST, HAWSER_SERVICE_PORT, HAWSER_SERVICE_PORT_WS
//	HAWSER_PORT, HAWSER_PORT_80_TCP, HAWSER_PORT_80_TCP_PROTO, _PORT and _ADDR
//
// All but those like HAWSER_PORT are recognised by their names, which no setting may have.
// HAWSER_PORT is recognised by its value, because a service called hawser-reuse gives
// HAWSER_REUSE_PORT, which is a setting.
var (
	linkName  = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	linkValue = regexp.MustCompile(`^(tcp|udp|sctp)://\S+:[0-9]+$`)
)

// isServiceLink reports whether a variable says where a service is.
func isServiceLink(name, text string) bool {
	return linkName.MatchString(name) || strings.HasSuffix(name, "_PORT") && linkValue.MatchString(text)
}

// parseEnviron returns the variables' values and the name of the file, puts the secret into
// c, and warns of variables that look like settings but are not.
func parseEnviron(c *Config, environ []string) (found []assignment, file string, warnings []string) {
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		text = strings.TrimSpace(text)
		if len(name) < len(envPrefix) || !strings.EqualFold(name[:len(envPrefix)], envPrefix) || text == "" {
			continue
		}
		s, known := find(setting.variable, name)
		switch {
		case name == fileVariable:
			file = text
		case name == publishKeyVariable:
			c.PublishKey = text
		case name == adminKeyVariable:
		case isServiceLink(name, text):
			if known {
				warnings = append(warnings, fmt.Sprintf("variable %s: %s says where a service is, as Kubernetes sets it (enableServiceLinks), and was not taken for the setting", name, quote(text)))
			}
		case known:
			found = append(found, assignment{s, text, "variable " + name, s.parse})
		default:
			warnings = append(warnings, fmt.Sprintf("variable %s: there is no such setting%s", name, meant(name)))
		}
	}
	return found, file, warnings
}

// meant suggests the variable that a misspelt one was probably meant to be.
func meant(name string) string {
	// Without the prefix, which would make all of them alike.
	rest := name[len(envPrefix):]
	key := spelling.Nearest(rest, append(keys(), fileFlag))
	if key == "" {
		return ""
	}
	if s, ok := find(fullKey, key); ok {
		return "; did you mean " + s.variable() + "?"
	}
	return "; did you mean " + fileVariable + "?"
}
