package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/identity"
	"github.com/hawser-ws/hawser/cmd/internal/certs"
	"github.com/hawser-ws/hawser/cmd/internal/listen"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
)

// openNetwork reads the certificates, if there is TLS.
func (a *app) openNetwork() (err error) {
	cfg := a.cfg
	if !cfg.TLS.None() {
		if a.certs, err = certs.Open(cfg.TLS, certs.Options{Log: a.log}); err != nil {
			return err
		}
	}
	a.trusted, err = proxy.ParseTrusted(cfg.TrustedProxies)
	return err
}

func (a *app) listen() (net.Listener, error) {
	return listen.Options{Address: a.cfg.Listen, Mode: a.cfg.SocketMode, ReusePort: a.cfg.ReusePort}.Open()
}

// setListener has the Server accept from a listener what proxies let through.
func (a *app) setListener(ln net.Listener) {
	cfg := a.cfg
	a.ln = ln
	a.url = listen.URL(a.ln.Addr(), a.certs != nil)
	if cfg.ProxyProtocol {
		a.ln = proxy.NewListener(a.ln, proxy.Options{Trusted: a.trusted, Probes: true, TLS: a.certs != nil, Log: a.log})
	}
	if strings.HasPrefix(a.url, "unix:") && len(cfg.PublicOrigins) == 0 {
		a.log.Warn("public_origins is empty, so no page may connect: a Unix socket has no address that a page could come from")
	}
}

// setNetwork configures TLS, client certificates, proxies and bans. Middleware would keep
// handshakes from the loops; nobody gets Strict-Transport-Security on plain connections that
// come from no proxy.
func (a *app) setNetwork(cfg *server.Config) {
	if a.certs != nil {
		cfg.TLS = a.certs.Config()
	}
	if ids := a.cfg.TLSIdentities; len(ids) > 0 {
		cfg.Admit = func(r *http.Request) (any, error) { return certified(r, ids) }
	}
	cfg.Banned = a.banned
	if a.cfg.HSTS > 0 && (a.certs != nil || a.cfg.ForwardedHeader != proxy.NoHeader) {
		cfg.Middleware = a.strictTransport
	}
	if h := a.cfg.ForwardedHeader; h != proxy.NoHeader {
		cfg.ClientAddr = h.ClientAddr(a.trusted)
	}
}

// banned is the server.Config.Banned. A client that connects directly is kept out before anything
// is read. One that comes through a proxy which names its clients gets this answer.
func (a *app) banned(client netip.Addr) *handshake.Error {
	b, banned := a.engine.Bans.OfAddress(client)
	if !banned {
		return nil
	}
	refusal := &handshake.Error{Status: http.StatusForbidden, Reason: "the network from which you connect is banned"}
	if b.Until > 0 {
		refusal.Header = http.Header{"Retry-After": {fmt.Sprint(max(1, (b.Until-a.engine.Log.Now()+999)/1000))}}
	}
	return refusal
}

// strictTransport adds Strict-Transport-Security (RFC 6797) to every answer over TLS, whether
// it is the server's or a proxy's. Browsers ignore the header without TLS.
func (a *app) strictTransport(next http.Handler) http.Handler {
	value := fmt.Sprintf("max-age=%d", int64(a.cfg.HSTS.Seconds()))
	if a.cfg.HSTSSubdomains {
		value += "; includeSubDomains"
	}
	secure := a.cfg.ForwardedHeader.Secure(a.trusted)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil || secure(r) {
			w.Header().Set("Strict-Transport-Security", value)
		}
		next.ServeHTTP(w, r)
	})
}

// certified returns the user of a request's client certificate, which crypto/tls has verified.
func certified(r *http.Request, ids identity.Map) (userID any, err error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, &handshake.Error{Status: http.StatusForbidden, Reason: "there is no client certificate"}
	}
	id, err := ids.User(r.TLS.PeerCertificates[0])
	if err != nil {
		return nil, &handshake.Error{Status: http.StatusForbidden, Reason: err.Error()}
	}
	return id, nil
}
