package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// Files are the paths of PEM files.
type Files struct {
	// Cert is the server's certificate, followed by those of the authorities
	// between it and a root. Key is the private key that belongs to it.
	Cert string
	Key  string

	// ClientCA contains the authorities for clients' certificates. If it is set, clients
	// without a certificate from one of them are refused.
	ClientCA string
}

// None reports whether no file is named: then there is no TLS.
func (f Files) None() bool { return f == Files{} }

func (f Files) check() error {
	switch {
	case f.Cert == "" && f.Key == "":
		return fmt.Errorf("%s holds the authorities of clients, which needs TLS: a certificate and a key are not named", f.ClientCA)
	case f.Key == "":
		return fmt.Errorf("the key of the certificate in %s is not named", f.Cert)
	case f.Cert == "":
		return fmt.Errorf("the certificate of the key in %s is not named", f.Key)
	}
	return nil
}

// contents are the contents of the files.
type contents struct{ cert, key, clientCA []byte }

func (c contents) equal(d contents) bool {
	return bytes.Equal(c.cert, d.cert) && bytes.Equal(c.key, d.key) && bytes.Equal(c.clientCA, d.clientCA)
}

// read reads every file, and reports all that cannot be.
func (f Files) read() (c contents, err error) {
	var errs []error
	for _, file := range []struct {
		path string
		into *[]byte
	}{{f.Cert, &c.cert}, {f.Key, &c.key}, {f.ClientCA, &c.clientCA}} {
		if file.path == "" {
			continue
		}
		if *file.into, err = os.ReadFile(file.path); err != nil {
			errs = append(errs, err) // it names the path
		}
	}
	return c, errors.Join(errs...)
}

// base returns the common configuration of all servers: TLS 1.2 or newer, and with 1.2 only
// the suites of RFC 9325 4.2, with forward secrecy and authenticated encryption. crypto/tls
// would also accept CBC with SHA-1, which only clients from before 2013 need. The list does
// not apply to TLS 1.3, which has only such suites.
func base() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"http/1.1"}, // RFC 6455 needs it
	}
}

// config makes what TLS is spoken with.
func (f Files) config(c contents) (*tls.Config, error) {
	if _, err := parseAll(f.Cert, c.cert); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("%s, as the key of the certificate in %s: %w", f.Key, f.Cert, err)
	}
	cfg := base()
	cfg.Certificates = []tls.Certificate{pair}
	if f.ClientCA != "" {
		authorities, err := parseAll(f.ClientCA, c.clientCA)
		if err != nil {
			return nil, err
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
		cfg.ClientCAs = x509.NewCertPool()
		for _, a := range authorities {
			cfg.ClientCAs.AddCert(a)
		}
	}
	return cfg, nil
}

// parseAll returns the certificates in a PEM file, at least one.
func parseAll(path string, text []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", path, len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if certs == nil {
		return nil, fmt.Errorf("%s: there is no certificate in it (PEM, -----BEGIN CERTIFICATE-----)", path)
	}
	return certs, nil
}
