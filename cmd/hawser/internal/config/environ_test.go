package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// warningsOf loads an environment, which must not be refused.
func warningsOf(t *testing.T, environ ...string) (Config, []string) {
	t.Helper()
	c, warnings, err := Load(nil, environ, func(string) ([]byte, error) { return nil, errors.New("there is no file") })
	if err != nil {
		t.Errorf("%q: %v", environ, err)
	}
	return c, warnings
}

// B02: what Kubernetes and Docker set for services whose names begin like ours
// changes nothing, and causes no warning.
func TestServiceLinks(t *testing.T) {
	for _, service := range []string{"HAWSER", "HAWSER_REDIS", "HAWSER_DATA", "HAWSER_LISTEN", "HAWSER_CONFIG", "HAWSER_TLS_CERT", "HAWSER_LIMITS_BURST", "HAWSER_2"} {
		environ := []string{
			service + "_SERVICE_HOST=10.0.0.7", service + "_SERVICE_PORT=80", service + "_SERVICE_PORT_WS=80", service + "_SERVICE_PORT_HTTP_8080=8080",
			service + "_PORT=tcp://10.0.0.7:80", service + "_PORT=udp://[fd00::7]:80", service + "_PORT=sctp://10.0.0.7:80",
			service + "_PORT_80_TCP=tcp://10.0.0.7:80", service + "_PORT_80_TCP_PROTO=tcp", service + "_PORT_80_TCP_PORT=80", service + "_PORT_80_TCP_ADDR=10.0.0.7",
			service + "_PORT_53_UDP=udp://10.0.0.7:53", service + "_PORT_53_UDP_ADDR=fd00::7", service + "_PORT_9_SCTP_PROTO=sctp",
		}
		c, warnings := warningsOf(t, environ...)
		if d := cmp.Diff(Default(), c); d != "" || warnings != nil {
			t.Errorf("%s: %q\n%s", service, warnings, d)
		}
	}
}

// The port of a service called hawser-reuse has the name of a setting.
func TestServiceLinkWithASettingsName(t *testing.T) {
	c, warnings := warningsOf(t, "HAWSER_REUSE_PORT=tcp://10.0.0.7:80")
	want := []string{`variable HAWSER_REUSE_PORT: "tcp://10.0.0.7:80" says where a service is, as Kubernetes sets it (enableServiceLinks), and was not taken for the setting`}
	if d := cmp.Diff(want, warnings); d != "" || c.ReusePort {
		t.Error(d)
	}
	if c, warnings := warningsOf(t, "HAWSER_REUSE_PORT=on"); !c.ReusePort || warnings != nil {
		t.Errorf("the setting: %v, %q", c.ReusePort, warnings)
	}
	for _, s := range settings {
		if linkName.MatchString(s.variable()) {
			t.Errorf("%s would be taken for a service link; choose another name", s.variable())
		}
	}
}

// The key for the commands that administer a server is not a setting of the server, and
// causes no warning either.
func TestAdminKeyVariable(t *testing.T) {
	if c, warnings := warningsOf(t, "HAWSER_ADMIN_KEY=hawser_admin_X"); warnings != nil || !cmp.Equal(c, Default()) {
		t.Errorf("%q", warnings)
	}
}

func TestUnknownVariables(t *testing.T) {
	for entry, want := range map[string]string{
		"HAWSER_LISTN=x":            "; did you mean HAWSER_LISTEN?",
		"HAWSER_LISTENS=x":          "; did you mean HAWSER_LISTEN?",
		"hawser_listen=x":           "; did you mean HAWSER_LISTEN?",
		"HAWSER_LIMIT_BURST=1":      "; did you mean HAWSER_LIMITS_BURST?",
		"HAWSER_BURST=1":            "; did you mean HAWSER_LIMITS_BURST?",
		"HAWSER_LIMITS.BURST=1":     "; did you mean HAWSER_LIMITS_BURST?",
		"HAWSER_LISTEN_PORT=80":     "; did you mean HAWSER_LISTEN?",
		"HAWSER_LOGLEVEL=info":      "; did you mean HAWSER_LOG_LEVEL?",
		"HAWSER_CONFG=x":            "; did you mean HAWSER_CONFIG?",
		"HAWSER_PORT=8080":          "",
		"HAWSER_VERSION=1":          "",
		"HAWSER_NAME=/web/hawser":   "",
		"HAWSER_=1":                 "",
		"HAWSER_ENV_PATH=/usr/bin":  "",
		"HAWSER_IMAGE=hawser:1.0.0": "",
	} {
		c, warnings := warningsOf(t, entry)
		name, _, _ := strings.Cut(entry, "=")
		if d := cmp.Diff([]string{"variable " + name + ": there is no such setting" + want}, warnings); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(Default(), c); d != "" {
			t.Errorf("%s: %s", entry, d)
		}
	}
}

func TestEmptyVariablesAreNotSet(t *testing.T) {
	var environ []string
	for _, s := range settings {
		environ = append(environ, s.variable()+"=", s.variable()+"= \r\n\t")
	}
	c, warnings := warningsOf(t, append(environ, "HAWSER_CONFIG=", "HAWSER_LISTN=", "HAWSER_PORT=")...)
	if d := cmp.Diff(Default(), c); d != "" || warnings != nil {
		t.Errorf("%q\n%s", warnings, d)
	}
	c, err := load(`public_origins = ["https://a.example"]`, []string{"HAWSER_PUBLIC_ORIGINS="})
	if err != nil || len(c.PublicOrigins) != 1 {
		t.Errorf("an empty variable overrides the file: %q, %v", c.PublicOrigins, err)
	}
}

// A variable that was filled from a file has the newline at the file's end.
func TestWhiteSpaceAroundValues(t *testing.T) {
	c, warnings := warningsOf(t, "HAWSER_LISTEN= 127.0.0.1:1\n", "HAWSER_TLS_CERT=/etc/cert.pem\r\n", "HAWSER_TLS_KEY=\t/etc/a b.pem", "HAWSER_LOOPS=3 ",
		"HAWSER_GUESTS=false\n", "HAWSER_PING_INTERVAL= 5s", "HAWSER_WRITE_QUEUE=64KiB\n", "HAWSER_LOG_LEVEL=warn\n", "HAWSER_PUBLIC_ORIGINS=https://a.example ,\n https://b.example\n")
	want, err := load("", nil, "--listen=127.0.0.1:1", "--tls-cert=/etc/cert.pem", "--tls-key=/etc/a b.pem", "--loops=3",
		"--guests=false", "--ping-interval=5s", "--write-queue=64KiB", "--log-level=warn", "--public-origins=https://a.example,https://b.example")
	if d := cmp.Diff(want, c); d != "" || err != nil || warnings != nil {
		t.Errorf("%v, %q\n%s", err, warnings, d)
	}
	c, err = load("listen = \" 127.0.0.1:1\\n\"", nil, "--tls-cert= /etc/cert.pem\n", "--loops= 3", "--guests=false ")
	if err != nil || c.Listen != "127.0.0.1:1" || c.TLS.Cert != "/etc/cert.pem" || c.Loops != 3 || c.Guests {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSpellingsOfTrueAndFalse(t *testing.T) {
	for text, want := range map[string]bool{
		"1": true, "t": true, "T": true, "true": true, "TRUE": true, "True": true, "yes": true, "YES": true, "Y": true, "on": true, "On": true,
		"0": false, "f": false, "F": false, "false": false, "FALSE": false, "no": false, "No": false, "n": false, "off": false, "OFF": false,
	} {
		for source, get := range map[string]func() (Config, error){
			"variable": func() (Config, error) { return load("", []string{"HAWSER_GUESTS=" + text}) },
			"flag":     func() (Config, error) { return load("", nil, "--guests="+text) },
			"file":     func() (Config, error) { return load("guests = \""+text+"\"", nil) },
		} {
			if c, err := get(); err != nil || c.Guests != want {
				t.Errorf("%s %q: %v, %v; want %v", source, text, c.Guests, err, want)
			}
		}
	}
	for _, text := range []string{"2", "tr", "yes please", "-1", "enabled"} {
		if _, err := load("", []string{"HAWSER_GUESTS=" + text}); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	if c, err := load("", []string{"HAWSER_LOG_LEVEL=WARN", "HAWSER_LOG_FORMAT=JSON", "HAWSER_FORWARDED_HEADER=X-Forwarded-For", "HAWSER_TRUSTED_PROXIES=::1"}); err != nil || c.LogFormat != "json" {
		t.Errorf("names in capitals: %+v, %v", c, err)
	}
}

func TestFilesOfOtherEditors(t *testing.T) {
	for name, file := range map[string]string{
		"byte-order mark": "\ufeffloops = 3\n[limits]\nburst = 4\n",
		"CRLF":            "loops = 3\r\n[limits]\r\nburst = 4\r\n",
		"both":            "\ufeff# ours\r\nloops = 3\r\n\r\n[limits]\r\nburst = 4",
	} {
		if c, err := load(file, nil); err != nil || c.Loops != 3 || c.Limits.Burst != 4 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := load("\ufeff\r\nloops = -1\r\n", nil); err == nil || !strings.HasPrefix(err.Error(), "hawser.toml:2: loops:") {
		t.Errorf("the line of an error: %v", err)
	}
	_, err := load("\xff\xfel\x00o\x00o\x00p\x00s\x00", nil)
	assertError(t, err, "hawser.toml: it is written in UTF-16; save it as UTF-8")
}

// A key that occurs twice is an error, however it is written.
func TestDuplicateKeys(t *testing.T) {
	for _, file := range []string{
		"loops = 1\nloops = 1", "loops = 1\n\"loops\" = 2", "limits.burst = 1\n[limits]\nburst = 2",
		"[limits]\nburst = 1\n[limits]\nconnections = 1", "[limits]\nburst = 1\nburst = 2", "limits = { burst = 1, burst = 2 }",
		"[tls_identities]\n\"dns:a\" = \"u_a\"\n\"dns:a\" = \"u_b\"",
	} {
		if _, err := load(file, nil); err == nil || !strings.HasPrefix(err.Error(), "hawser.toml:") || !strings.Contains(err.Error(), "already") {
			t.Errorf("%q: %v", file, err)
		}
	}
}
