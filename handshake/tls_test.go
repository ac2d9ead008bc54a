package handshake

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// today is when the certificates of these tests are looked at.
var today = time.Date(2031, time.May, 1, 12, 0, 0, 0, time.UTC)

func onThatDay() time.Time { return today }

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool // itself alone
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	signed := a.issue(t, x509.Certificate{
		Subject:               pkix.Name{CommonName: "authority"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	})
	a.cert, a.key = signed.Leaf, signed.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate with the given content, for a server unless that
// says otherwise. Without dates it is valid today.
func (a *authority) issue(t *testing.T, content x509.Certificate) tls.Certificate {
	t.Helper()
	content.SerialNumber = big.NewInt(1)
	if content.NotBefore.IsZero() {
		content.NotBefore = today.Add(-time.Hour)
	}
	if content.NotAfter.IsZero() {
		content.NotAfter = today.Add(time.Hour)
	}
	if !content.IsCA && content.ExtKeyUsage == nil {
		content.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil { // the authority's own
		parent, signer = &content, key
	}
	der, err := x509.CreateCertificate(rand.Reader, &content, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// serveTLS upgrades on loopback with cfg. Its DialContext connects there for
// any name, and its log has one line for each failed TLS handshake.
func serveTLS(t *testing.T, u *Upgrader, cfg *tls.Config) (to dialer, outcomes <-chan outcome, failures <-chan string) {
	t.Helper()
	srv, outcomes := upgrading(t, u)
	lines := make(logLines, 16)
	srv.Config.ErrorLog = log.New(lines, "", 0)
	srv.TLS = cfg
	srv.StartTLS()
	addr := srv.Listener.Addr().String()
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}, outcomes, lines
}

type dialer = func(context.Context, string, string) (net.Conn, error)

// logLines is a log that can be waited for.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestDialCertificate(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	chat := []string{"chat.example"}
	for _, c := range []struct {
		name string
		cert tls.Certificate
		is   func(error) bool // nil: accepted
	}{
		{"valid", ours.issue(t, x509.Certificate{DNSNames: chat}), nil},
		{"unknown CA", others.issue(t, x509.Certificate{DNSNames: chat}), func(err error) bool {
			return errors.As(err, new(x509.UnknownAuthorityError))
		}},
		{"wrong host", ours.issue(t, x509.Certificate{DNSNames: []string{"other.example", "example"}}), func(err error) bool {
			return errors.As(err, new(x509.HostnameError))
		}},
		{"expired", ours.issue(t, x509.Certificate{DNSNames: chat, NotAfter: today.Add(-time.Second)}), func(err error) bool {
			return invalid(err, x509.Expired) && strings.Contains(err.Error(), "is after")
		}},
		{"not yet valid", ours.issue(t, x509.Certificate{DNSNames: chat, NotBefore: today.Add(time.Second)}), func(err error) bool {
			return invalid(err, x509.Expired) && strings.Contains(err.Error(), "is before")
		}},
		{"for clients only", ours.issue(t, x509.Certificate{DNSNames: chat, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), func(err error) bool {
			return invalid(err, x509.IncompatibleUsage)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			to, outcomes, failures := serveTLS(t, &Upgrader{}, &tls.Config{Certificates: []tls.Certificate{c.cert}, Time: onThatDay})
			nc, _, _, err := Dial(t.Context(), "wss://chat.example/", &DialOptions{
				TLSConfig:   &tls.Config{RootCAs: ours.pool, Time: onThatDay},
				DialContext: to,
			})
			if c.is == nil {
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				assertTalk(t, nc, (<-outcomes).nc)
				return
			}
			if nc != nil || err == nil || !c.is(err) || !strings.Contains(err.Error(), "TLS with chat.example:443: ") {
				t.Errorf("got %v, %v", nc, err)
			}
			<-failures // the server was not asked for more
		})
	}
}

func invalid(err error, reason x509.InvalidReason) bool {
	var e x509.CertificateInvalidError
	return errors.As(err, &e) && e.Reason == reason
}

// The name to verify is the caller's, if it gives one.
func TestDialServerName(t *testing.T) {
	ca := newAuthority(t)
	to, outcomes, failures := serveTLS(t, &Upgrader{}, &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, x509.Certificate{DNSNames: []string{"inside.example"}})},
		Time:         onThatDay,
	})
	o := &DialOptions{DialContext: to, TLSConfig: &tls.Config{RootCAs: ca.pool, Time: onThatDay, ServerName: "inside.example"}}
	nc, _, _, err := Dial(t.Context(), "wss://chat.example/", o)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	assertTalk(t, nc, (<-outcomes).nc)

	// Without any configuration, the system's authorities decide.
	o.TLSConfig = nil
	if nc, _, _, err := Dial(t.Context(), "wss://chat.example/", o); err == nil {
		nc.Close()
		t.Error("accepted without a configuration")
	}
	<-failures
}

func TestDialClientCertificate(t *testing.T) {
	ca := newAuthority(t)
	seen := make(chan string, 1)
	u := &Upgrader{Header: func(r *http.Request) http.Header {
		seen <- r.TLS.PeerCertificates[0].Subject.CommonName
		return nil
	}}
	to, outcomes, failures := serveTLS(t, u, &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, x509.Certificate{DNSNames: []string{"chat.example"}})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ca.pool,
		Time:         onThatDay,
	})
	cfg := &tls.Config{RootCAs: ca.pool, Time: onThatDay}
	o := &DialOptions{TLSConfig: cfg, DialContext: to}
	if nc, _, _, err := Dial(t.Context(), "wss://chat.example/", o); err == nil || errors.As(err, new(*Error)) {
		t.Errorf("without a certificate: %v, %v", nc, err)
	}
	if line := <-failures; !strings.Contains(line, "client didn't provide a certificate") {
		t.Errorf("the server saw %q", line)
	}

	cfg.Certificates = []tls.Certificate{ca.issue(t, x509.Certificate{
		Subject:     pkix.Name{CommonName: "ada"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})}
	nc, _, _, err := Dial(t.Context(), "wss://chat.example/", o)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got := <-seen; got != "ada" {
		t.Errorf("the server saw %q, want ada", got)
	}
	assertTalk(t, nc, (<-outcomes).nc)
}
