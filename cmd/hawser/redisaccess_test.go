//go:build unix

package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
)

// A node with another key would refuse the users of the others.
func TestRedisKeyOfAllNodes(t *testing.T) {
	server := redistest.Start(t)
	sh := share(t, "redis://"+server.Addr)
	sh.node(t)
	sh.node(t)
	other := share(t, sh.url)
	out := other.refused(t)
	if !strings.Contains(out, "token_key_file: "+other.key+" has another key") {
		t.Error(out)
	}
	other.node(t, "--redis-prefix=other:") // another chat
	if out := (shared{sh.url, filepath.Join(t.TempDir(), "none")}).refused(t); !strings.Contains(out, "no such file") || !strings.Contains(out, `"hawser new-key FILE" makes a key`) {
		t.Error(out)
	}
}

// The rules that OPERATING.md gives for a user of Redis are enough for everything that a node does.
func TestRedisUser(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("cluster/OPERATING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "user hawser on >PASSWORD ")
	rules, _, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatal("OPERATING.md has no rules")
	}
	server := redistest.Start(t, redistest.Password("administrator"), redistest.AOF("always"), redistest.User("hawser", "hunter2", rules))
	sh := share(t, "redis://hawser:hunter2@"+server.Addr)
	one, two := sh.node(t, "--redis-ack=disk"), sh.node(t)
	talk(t, one, two)
	server.Do("ACL", "LOG", "RESET")
	two.stop()
	if log := server.Do("ACL", "LOG").([]any); len(log) > 0 {
		t.Errorf("Redis refused something: %v", log)
	}
	if c := redistest.StartCluster(t, redistest.User("hawser", "hunter2", rules)); c != nil {
		sh := share(t, "redis://hawser:hunter2@"+c.Servers[0].Addr)
		talk(t, sh.node(t), sh.node(t))
	}
}

// X12: a wrong password, or one whose user may not do what is needed, ends the start with an
// error that says so, and that does not contain it.
func TestX12WrongPassword(t *testing.T) {
	server := redistest.Start(t, redistest.Password("right"), redistest.User("reader", "hunter2", "~* &* -@all +@read +info +client +hello +cluster"))
	for user, want := range map[string]string{
		":hunter2":        "refuses the user name and password",
		"reader:hunter2x": "refuses the user name and password",
		"":                "asks for a password, and none is set",
		"reader:hunter2":  "access list (ACL) does not allow",
	} {
		out := share(t, "redis://"+user+"@"+server.Addr).refused(t)
		if !strings.Contains(out, want) || strings.Contains(out, "hunter2") {
			t.Errorf("%q: %s\nwant %s, and not the password", user, out, want)
		}
	}
}

func TestRedisTLS(t *testing.T) {
	ours, foreign := certtest.New(t, "ours"), certtest.New(t, "foreign")
	dir := t.TempDir()
	cert, key := certtest.WritePair(t, dir, ours.Server())
	ca := certtest.Write(t, dir, "ca.pem", ours.PEM())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	server := redistest.Start(t, redistest.Config("tls-port "+port, "tls-cert-file "+cert, "tls-key-file "+key, "tls-ca-cert-file "+ca, "tls-auth-clients yes"))

	sh := share(t, "rediss://"+address)
	cert, key = certtest.WritePair(t, t.TempDir(), ours.Client(&x509.Certificate{Subject: pkix.Name{CommonName: "hawser"}}))
	with := []string{"--redis-ca=" + ca, "--redis-cert=" + cert, "--redis-key=" + key}
	talk(t, sh.node(t, with...), sh.node(t, with...))
	if out := sh.refused(t, "--redis-cert="+cert, "--redis-key="+key); !strings.Contains(out, "certificate") {
		t.Errorf("an authority that is not known: %s", out)
	}
	strange := certtest.Write(t, dir, "foreign.pem", foreign.PEM())
	if out := sh.refused(t, "--redis-ca="+strange, "--redis-cert="+cert, "--redis-key="+key); !strings.Contains(out, "certificate") {
		t.Errorf("a foreign authority: %s", out)
	}
	if out := sh.refused(t, "--redis-ca="+ca); !strings.Contains(out, "expects a certificate") {
		t.Errorf("no certificate of its own: %s", out)
	}
	if out := share(t, "rediss://"+server.Addr).refused(t, with...); !strings.Contains(out, "perhaps it has no TLS there") {
		t.Errorf("a server without TLS: %s", out)
	}
	if out := share(t, "redis://"+address).refused(t); !strings.Contains(out, "perhaps it expects TLS there") {
		t.Errorf("a server with TLS: %s", out)
	}
	if out := sh.refused(t, "--redis-ca="+key); !strings.Contains(out, "redis_ca: "+key+" contains no certificate in PEM") {
		t.Error(out)
	}
}
