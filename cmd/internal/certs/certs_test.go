package certs

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
	"github.com/hawser-ws/hawser/cmd/internal/logtest"
)

const patience = 20 * time.Second

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.New(t, "ca")
	cert, key := certtest.WritePair(t, dir, ca.Server())
	_, otherKey := certtest.PEM(t, ca.Server())
	other := certtest.Write(t, dir, "other.pem", otherKey)
	empty := certtest.Write(t, dir, "empty.pem", nil)
	torn := certtest.Write(t, dir, "torn.pem", []byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	absent := filepath.Join(dir, "absent.pem")
	for _, c := range []struct {
		name  string
		files Files
		says  []string
	}{
		{"no key", Files{Cert: cert}, []string{cert, "key", "is not named"}},
		{"no certificate", Files{Key: key}, []string{key, "certificate", "is not named"}},
		{"only authorities", Files{ClientCA: cert}, []string{cert, "needs TLS"}},
		{"absent", Files{Cert: absent, Key: absent + "2"}, []string{absent + ": no such file", absent + "2: no such file"}},
		{"a folder", Files{Cert: cert, Key: dir}, []string{dir, "is a directory"}},
		{"empty certificate", Files{Cert: empty, Key: key}, []string{empty, "no certificate"}},
		{"torn certificate", Files{Cert: torn, Key: key}, []string{torn, "certificate 1", "x509"}},
		{"a key for a certificate", Files{Cert: key, Key: key}, []string{key, "no certificate"}},
		{"empty key", Files{Cert: cert, Key: empty}, []string{empty, cert, "find any PEM data"}},
		{"a certificate for a key", Files{Cert: cert, Key: cert}, []string{cert, "certificate rather than a key"}},
		{"another's key", Files{Cert: cert, Key: other}, []string{other, cert, "does not match"}},
		{"no authorities", Files{Cert: cert, Key: key, ClientCA: key}, []string{key, "no certificate"}},
	} {
		_, err := Open(c.files, Options{})
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: it does not say %q: %v", c.name, s, err)
			}
		}
	}
}

// house is an echo server over TLS from a Source, with a clock that stands still.
type house struct {
	t    *testing.T
	dir  string
	addr string
	now  atomic.Int64 // nanoseconds
	log  logtest.Buffer
	*Source
}

func newHouse(t *testing.T, server tls.Certificate, clients ...*certtest.Authority) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	f := Files{}
	f.Cert, f.Key = certtest.WritePair(t, h.dir, server)
	if clients != nil {
		f.ClientCA = h.writeAuthorities(clients...)
	}
	var err error
	h.Source, err = Open(f, Options{Now: func() time.Time { return time.Unix(0, h.now.Load()) }, Log: slog.New(slog.NewTextHandler(&h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", h.Config())
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				io.Copy(nc, nc)
			}()
		}
	}()
	return h
}

func (h *house) writeAuthorities(clients ...*certtest.Authority) string {
	var text []byte
	for _, a := range clients {
		text = append(text, a.PEM()...)
	}
	return certtest.Write(h.t, h.dir, "clients.pem", text)
}

// dial connects and echoes, which with TLS 1.3 is what tells a refused client.
func (h *house) dial(cfg *tls.Config) (*tls.Conn, error) {
	h.t.Helper()
	nc, err := tls.Dial("tcp", h.addr, cfg)
	if err != nil {
		return nil, err
	}
	h.t.Cleanup(func() { nc.Close() })
	return nc, echo(nc, "hello")
}

func echo(nc net.Conn, s string) error {
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, s); err != nil {
		return err
	}
	b := make([]byte, len(s))
	if _, err := io.ReadFull(nc, b); err != nil || string(b) != s {
		return fmt.Errorf("the echo of %q is %q: %w", s, b, err)
	}
	return nil
}

// The first handshake after the interval uses a new certificate, and existing
// connections stay.
func TestReload(t *testing.T) {
	old, young := certtest.New(t, "old"), certtest.New(t, "young")
	h := newHouse(t, old.Server())
	trustOld, trustYoung := &tls.Config{RootCAs: old.Pool}, &tls.Config{RootCAs: young.Pool}
	first, err := h.dial(trustOld)
	if err != nil {
		t.Fatal(err)
	}
	certtest.WritePair(t, h.dir, young.Server())
	h.now.Add(int64(DefaultInterval - 1))
	if _, err := h.dial(trustOld); err != nil {
		t.Errorf("before the interval is over: %v", err)
	}
	h.now.Add(1)
	if _, err := h.dial(trustYoung); err != nil {
		t.Errorf("after it: %v", err)
	}
	if _, err := h.dial(trustOld); err == nil {
		t.Error("the old certificate is still in use")
	}
	if err := echo(first, "still here"); err != nil {
		t.Errorf("the old connection: %v", err)
	}
	if log := h.log.String(); strings.Count(log, "were reloaded") != 1 || !strings.Contains(log, h.files.Cert) {
		t.Errorf("the log: %s", log)
	}
}

// Files that cannot be used change nothing, and are logged once.
func TestBrokenFiles(t *testing.T) {
	old, young := certtest.New(t, "old"), certtest.New(t, "young")
	h := newHouse(t, old.Server())
	dial := func(a *certtest.Authority) {
		t.Helper()
		h.now.Add(int64(DefaultInterval))
		if _, err := h.dial(&tls.Config{RootCAs: a.Pool}); err != nil {
			t.Error(err)
		}
	}
	logged := func(file string, times int) {
		t.Helper()
		log := h.log.String()
		if n := strings.Count(log, "cannot be used"); n != times || !strings.Contains(log, file) {
			t.Errorf("%d errors are logged; want %d, which name %s:\n%s", n, times, file, log)
		}
	}
	cert, key := certtest.PEM(t, young.Server())
	certtest.Write(t, h.dir, "cert.pem", cert) // and not yet the key
	for range 3 {
		dial(old)
	}
	logged(h.files.Key, 1)
	os.Remove(h.files.Cert)
	dial(old)
	dial(old)
	logged(h.files.Cert+": no such file", 2)
	h.Reload() // every caller gets the error
	logged(h.files.Cert+": no such file", 3)

	certtest.Write(t, h.dir, "cert.pem", cert)
	certtest.Write(t, h.dir, "key.pem", key)
	dial(young)
	logged("were reloaded", 3)
	certtest.Write(t, h.dir, "key.pem", nil) // broken for the second time
	dial(young)
	logged(h.files.Key, 4)
}

// T05: a client of an authority that has been removed cannot return with an old
// ticket, under either version. A ticket of an authority that stayed is valid.
func TestT05RemovedAuthority(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			ca, kept, removed := certtest.New(t, "server"), certtest.New(t, "kept"), certtest.New(t, "removed")
			h := newHouse(t, ca.Server(), kept, removed)
			client := func(a *certtest.Authority) *tls.Config {
				return &tls.Config{
					RootCAs: ca.Pool, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1),
					Certificates: []tls.Certificate{a.Client(&x509.Certificate{Subject: pkix.Name{CommonName: "client"}})},
				}
			}
			staying, leaving := client(kept), client(removed)
			connect := func(cfg *tls.Config, resumed bool) *tls.Conn {
				t.Helper()
				nc, err := h.dial(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if nc.ConnectionState().DidResume != resumed {
					t.Errorf("resumed: %t; want %t", !resumed, resumed)
				}
				return nc
			}
			for _, cfg := range []*tls.Config{staying, leaving} {
				connect(cfg, false)
				connect(cfg, true)
			}
			open := connect(leaving, true)
			h.writeAuthorities(kept)
			h.Reload()
			if _, err := h.dial(leaving); err == nil {
				t.Error("the ticket of a removed authority's client is accepted")
			}
			connect(staying, true)
			if err := echo(open, "still here"); err != nil {
				t.Errorf("the connection from before: %v", err)
			}
		})
	}
}

// T03: the floor is TLS 1.2, whatever a client says.
func TestT03Floor(t *testing.T) {
	ca := certtest.New(t, "server")
	h := newHouse(t, ca.Server())
	if _, err := h.dial(&tls.Config{RootCAs: ca.Pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	if _, err := h.dial(&tls.Config{RootCAs: ca.Pool, MaxVersion: tls.VersionTLS12}); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
}
