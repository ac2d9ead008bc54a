package certs

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
)

// Each suite of TLS 1.2 that crypto/tls knows is offered alone, to a server with
// either kind of key. Only those with forward secrecy and authenticated encryption
// are agreed on.
func TestCipherSuites(t *testing.T) {
	ca := certtest.New(t, "server")
	for kind, cert := range map[string]tls.Certificate{"ECDSA": ca.Server(), "RSA": ca.RSAServer()} {
		h := newHouse(t, cert)
		agreed := 0
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue
			}
			good := strings.HasPrefix(suite.Name, "TLS_ECDHE_"+kind) && (strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "_POLY1305_"))
			_, err := h.dial(&tls.Config{RootCAs: ca.Pool, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
			if good != (err == nil) {
				t.Errorf("a server with a key of %s, %s: %v; want it agreed on: %v", kind, suite.Name, err, good)
			}
			if err == nil {
				agreed++
			}
		}
		if agreed != 3 {
			t.Errorf("%s: %d suites are agreed on; want 3", kind, agreed)
		}
		if nc, err := h.dial(&tls.Config{RootCAs: ca.Pool}); err != nil || nc.ConnectionState().Version != tls.VersionTLS13 {
			t.Errorf("%s: TLS 1.3: %v", kind, err)
		}
	}
}
