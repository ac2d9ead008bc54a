package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// selfSigned makes a certificate for 127.0.0.1, in memory and in a file.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestTLS(t *testing.T) {
	cert, ca := selfSigned(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go faulty.Serve(ln, "")
	url := "wss://" + ln.Addr().String() + "/"
	for _, c := range []struct {
		flags  string
		status int
	}{{"", exitCannot}, {"--insecure", exitPassed}, {"--cacert " + ca, exitPassed}} {
		args := strings.Fields("server --url " + url + " --cases 1.1.*,7.1.*,P1.*,9.1.2,W1.9 --quiet --messages 5 " + c.flags)
		if out, status := command(args...); status != c.status {
			t.Errorf("with %q: exit status %d, want %d:\n%s", c.flags, status, c.status, out)
		}
	}
}
