package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/metrics"
	"github.com/hawser-ws/hawser/cmd/internal/listen"
)

// maxAdminConns is the maximum number of connections of the administrator's listener; further
// ones wait.
const maxAdminConns = 64

// admin is the listener for the operators of the server. None of the limits for clients apply
// there, it uses neither TLS nor the PROXY protocol, and it is open until the process ends. It
// must not be reachable for strangers. What changes anything needs a key (package adminapi).
type admin struct {
	ln      net.Listener
	http    *http.Server
	metrics *metrics.Metrics
}

// openAdmin begins to count, if there is an address to listen on.
func (a *app) openAdmin() {
	if a.cfg.AdminListen != "" {
		a.admin = &admin{metrics: metrics.New()}
	}
}

// listenAdmin listens on that, unless there is a listener.
func (a *app) listenAdmin(ln net.Listener) (err error) {
	if a.admin == nil {
		return nil
	}
	if a.admin.ln = ln; ln == nil {
		a.admin.ln, err = (listen.Options{Address: a.cfg.AdminListen, Mode: a.cfg.SocketMode}).Open()
	}
	return err
}

// adminHandler answers health probes like the server, and passes everything else to mux.
func adminHandler(h *health, mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if probe := h.probe(r); probe != nil { // before the mux, which refuses "OPTIONS *"
			probe.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// observer returns the hub's Observer; nil if there are no metrics.
func (ad *admin) observer() chat.Observer {
	if ad == nil {
		return nil
	}
	return ad.metrics.Observer()
}

// serve serves until close is called. If it ends for another reason, the error goes to failed.
// through has requests wait during an upgrade. api is what answers below /admin/.
func (ad *admin) serve(through func(http.Handler) http.Handler, h *health, api http.Handler, log *slog.Logger, failed chan<- error) {
	if ad == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", ad.metrics.Handler(log))
	mux.Handle("/admin/", api)
	ad.http = &http.Server{
		Handler:           through(adminHandler(h, mux)),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       15 * time.Second,
		MaxHeaderBytes:    4 << 10,

		// "OPTIONS *" is a probe; net/http would answer it with 200 whatever the state.
		DisableGeneralOptionsHandler: true,

		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("admin_listen: health probes are answered, and /metrics", "at", listen.URL(ad.ln.Addr(), false))
	go func() {
		if err := ad.http.Serve(netutil.LimitListener(ad.ln, maxAdminConns)); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
}

// close ends the listener and its connections.
func (ad *admin) close() error {
	switch {
	case ad == nil || ad.ln == nil:
		return nil
	case ad.http == nil:
		return ad.ln.Close()
	}
	return ad.http.Close()
}
