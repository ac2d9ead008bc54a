// Package certtest makes authorities and certificates for tests, in memory and
// as the files that package certs reads. It is imported by tests only.
package certtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	// Pool holds its certificate.
	Pool *x509.CertPool
}

// New makes an authority of its own.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, key: newKey(t), Pool: x509.NewCertPool()}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = sign(t, template, template, a.key, a.key)
	a.Pool.AddCert(a.cert)
	return a
}

// Server makes a certificate for 127.0.0.1 and localhost.
func (a *Authority) Server() tls.Certificate { return a.Issue(server()) }

// RSAServer makes the same with an RSA key.
func (a *Authority) RSAServer() tls.Certificate {
	a.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.issue(server(), key)
}

func server() *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: "server"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// Client makes a client's certificate with the names of the template.
func (a *Authority) Client(template *x509.Certificate) tls.Certificate {
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.Issue(template)
}

// Issue makes a certificate, good for an hour unless the template says otherwise.
func (a *Authority) Issue(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	return a.issue(template, newKey(a.t))
}

func (a *Authority) issue(template *x509.Certificate, key crypto.Signer) tls.Certificate {
	a.t.Helper()
	cert := sign(a.t, template, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// PEM is the authority's certificate as a file holds it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// PEM is a certificate and its key as files hold them.
func PEM(t testing.TB, c tls.Certificate) (cert, key []byte) {
	t.Helper()
	var b bytes.Buffer
	for _, der := range c.Certificate {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Write writes a file in dir and returns its path.
func Write(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// WritePair writes cert.pem and key.pem in dir.
func WritePair(t testing.TB, dir string, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	cert, key := PEM(t, c)
	return Write(t, dir, "cert.pem", cert), Write(t, dir, "key.pem", key)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	template.SerialNumber = new(big.Int).SetBytes([]byte(rand.Text()[:16]))
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
