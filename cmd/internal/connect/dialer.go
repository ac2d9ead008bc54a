package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// DialContext is handshake.DialOptions.DialContext's type.
type DialContext = func(ctx context.Context, network, addr string) (net.Conn, error)

// Secure reports whether connections use TLS.
func (d *Dialer) Secure() bool { return d.secure }

// Dialer reaches one URL as Options say. It may be used by several goroutines.
type Dialer struct {
	o      *Options
	secure bool
	tls    *tls.Config
	proxy  *url.URL // nil: directly
	host   string   // what connections are made to, without the port
}

// Open makes a Dialer for a ws or wss URL. An error means that the options, or the
// environment's proxy, cannot be carried out.
func (o *Options) Open(rawURL string) (*Dialer, error) {
	// The handshake reports errors in the URL itself.
	u, err := url.Parse(rawURL)
	if err != nil {
		u = &url.URL{}
	}
	d := &Dialer{o: o, secure: strings.EqualFold(u.Scheme, "wss"), host: u.Hostname()}
	if d.tls, err = o.tls(); err != nil {
		return nil, err
	}
	if d.proxy, err = o.proxyFor(u); err != nil {
		return nil, err
	}
	if d.proxy != nil {
		d.host = d.proxy.Hostname()
	}
	return d, nil
}

// tls is the configuration for wss and for proxies that speak TLS.
func (o *Options) tls() (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: o.Insecure}
	if o.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(o.CA)) {
			return nil, fmt.Errorf("--cacert: %sthere is no certificate in PEM form", in(o.caFile))
		}
	}
	if o.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(o.Cert), []byte(o.Key))
		if err != nil {
			return nil, o.explainPair(err)
		}
		// Certificates would be held back where the server names other
		// authorities, and the server could not say what it minds.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c, nil
}

// explainPair says why a certificate and its key cannot be used.
func (o *Options) explainPair(err error) error {
	for block, rest := pem.Decode([]byte(o.Key)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return fmt.Errorf("--key: %sthe key is encrypted, and there is no way to give its passphrase; \"openssl pkey -in FILE -out PLAIN\" decrypts it", in(o.keyFile))
		}
	}
	if o.keyFile == o.certFile {
		return fmt.Errorf("--cert: %s%w; --key names the file of the key, if it is in another one", in(o.certFile), err)
	}
	return fmt.Errorf("--cert %s, --key %s: %w", o.certFile, o.keyFile, err)
}

func in(file string) string {
	if file == "" {
		return ""
	}
	return file + ": "
}

// Host is what connections are made to, the server or a proxy, without the port.
func (d *Dialer) Host() string { return d.host }

// Proxied reports whether connections go through a proxy.
func (d *Dialer) Proxied() bool { return d.proxy != nil }

// TLS is the configuration for wss. It must not be changed.
func (d *Dialer) TLS() *tls.Config { return d.tls }

// Through is a DialContext that goes through the proxy, if there is one. direct
// makes the connections on this side; nil stands for a net.Dialer's.
func (d *Dialer) Through(direct DialContext) (DialContext, error) {
	if direct == nil {
		direct = new(net.Dialer).DialContext
	}
	if d.proxy == nil {
		return direct, nil
	}
	return wsconn.DialThrough(d.proxy, direct, d.tls)
}

// Options are what handshake.Dial needs; direct is Through's. They are the
// caller's to change.
func (d *Dialer) Options(direct DialContext) (*handshake.DialOptions, error) {
	through, err := d.Through(direct)
	if err != nil {
		return nil, err
	}
	return &handshake.DialOptions{
		Header: d.o.Header, Host: d.o.Host, Subprotocols: d.o.Subprotocols, TLSConfig: d.tls, DialContext: through,
	}, nil
}

// Transport reaches the same server by HTTP, with the same TLS and through the same
// proxy. It is the caller's.
func (d *Dialer) Transport() *http.Transport {
	t := &http.Transport{TLSClientConfig: d.tls.Clone()}
	if d.proxy != nil {
		t.Proxy = http.ProxyURL(d.proxy)
	}
	return t
}

// Explain adds to an error what flag may help.
func Explain(err error) error {
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		return fmt.Errorf("%w (--cacert FILE trusts a certificate, --insecure any)", err)
	}
	var at *net.OpError // of package tls, for an alert
	switch {
	case !errors.As(err, &at) || at.Op != "remote error":
	case strings.Contains(at.Err.Error(), "certificate required"):
		return fmt.Errorf("%w (--cert FILE and --key FILE show a client certificate)", err)
	case strings.Contains(at.Err.Error(), "certificate"):
		return fmt.Errorf("%w (the server does not accept the client certificate of --cert, or wants one)", err)
	}
	return err
}
