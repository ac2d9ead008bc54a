// Package connecttest is the common part of the tests of programs that dial: a
// server and proxies that note their requests, and one list of ways to reach a
// server that every such program must know.
//
// Read programs.go for the list, rig.go for the servers, proxy.go for the proxies.
package connecttest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
)

// Authority issues certificates for one test.
type Authority struct {
	Pool *x509.CertPool
	File string // its own certificate, in PEM form

	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, Pool: x509.NewCertPool()}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var der []byte
	der, a.key = a.sign(template, nil, nil)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Pool.AddCert(a.cert)
	a.File = a.write("CERTIFICATE", der)
	return a
}

func (a *Authority) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (der []byte, key *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, by = template, key
	}
	if der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by); err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

func (a *Authority) write(kind string, der []byte) string {
	a.t.Helper()
	f, err := os.CreateTemp(a.t.TempDir(), "*.pem")
	if err == nil {
		err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return filepath.Clean(f.Name())
}

// Issue makes a certificate for a server with these names, and 127.0.0.1.
func (a *Authority) Issue(names ...string) tls.Certificate {
	a.t.Helper()
	der, key := a.sign(&x509.Certificate{DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, a.cert, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// IssueClient makes a client's certificate, and returns the files that hold it and
// its key.
func (a *Authority) IssueClient(name string) (certFile, keyFile string) {
	a.t.Helper()
	der, key := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, a.cert, a.key)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write("CERTIFICATE", der), a.write("PRIVATE KEY", private)
}

// Server is an echo server that keeps the last request.
type Server struct {
	Addr     string
	requests chan *http.Request
}

type echo struct{}

func (echo) OnOpen(server.LoopConn)                                 {}
func (echo) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }
func (echo) OnClose(server.LoopConn, error)                         {}

// Serve starts an echo server, under TLS if config is not nil.
func Serve(t testing.TB, config *tls.Config) *Server {
	t.Helper()
	s := &Server{requests: make(chan *http.Request, 1)}
	srv, err := server.New(server.Config{
		Handler: echo{}, Loops: 1, TLS: config, Logger: slog.New(slog.DiscardHandler),
		Upgrader: handshake.Upgrader{Origins: []string{"*"}},
		Admit: func(r *http.Request) (any, error) {
			select {
			case <-s.requests:
			default:
			}
			select {
			case s.requests <- r:
			default:
			}
			return nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		srv.Shutdown(ctx)
		<-served
	})
	s.Addr = ln.Addr().String()
	return s
}

// Request is the last request that was admitted; nil if there was none since it was
// asked for the last time.
func (s *Server) Request() *http.Request {
	select {
	case r := <-s.requests:
		return r
	default:
		return nil
	}
}
