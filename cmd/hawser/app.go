package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/api"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/adminapi"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/audit"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/web"
	"github.com/hawser-ws/hawser/cmd/internal/certs"
	"github.com/hawser-ws/hawser/cmd/internal/output"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
	"github.com/hawser-ws/hawser/cmd/internal/signals"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/internal/upgrade"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
)

// app is the running service.
type app struct {
	cfg     config.Config
	log     *slog.Logger
	engine  *engine
	hub     *chat.Hub
	control *control // nil: there is no data folder, or it could not be opened
	server  *server.Server
	watch   *watch
	certs   *certs.Source // nil: no TLS
	trusted proxy.Trusted
	ln      net.Listener
	admin   *admin // nil: there is none
	health  *health
	url     string     // URL of the page for a browser on this machine
	failed  chan error // why Serve ended, unless stop was called

	publishKey string // "": publishing is disabled

	audit     audit.Recorder     // of the acts of administrators, and of automatic bans
	auditFile *audit.File        // nil: audit is the ordinary log
	protected adminapi.Protected // networks that must not be banned

	ending atomic.Bool

	program   *upgrade.Program
	inherited bool                // from another process
	requests  requestGate         // of administrators, which must have ended before an upgrade
	upgrades  chan upgradeRequest // one at a time; others are refused
}

// start opens the engine, starts the loops and listens; or it takes all of that over from another
// process. If it fails, it closes what it has opened, and does not touch what is another
// process's.
func start(cfg config.Config, log *slog.Logger, program *upgrade.Program) (a *app, err error) {
	a = &app{cfg: cfg, log: log, program: program, failed: make(chan error, 2), upgrades: make(chan upgradeRequest)}
	for _, prepare := range []func() error{a.readPublishKey, a.openAudit, a.openNetwork} {
		if err := prepare(); err != nil {
			return nil, err
		}
	}
	from, err := a.inherit()
	if err == nil {
		err = a.begin(from)
	}
	switch {
	case err != nil && from != nil:
		return nil, from.refuse(err)
	case err != nil:
		return nil, a.abandon(err)
	}
	a.inherited = from != nil
	a.watch.start()
	signals.OnHangup(a.hangup)
	if a.admin != nil {
		a.admin.metrics.Watch(a.server, a.hub, a.engine.Health)
		a.admin.metrics.WatchConduct(a.watch.guard, a.watch.alerts)
	}
	a.admin.serve(a.requests.through, a.health, a.adminAPI(), log, a.failed)
	a.openControl(from.listener(controlListener))
	from.closeOthers()
	go func() {
		if err := a.server.Serve(a.ln); !errors.Is(err, server.ErrServerClosed) {
			a.failed <- err
		}
	}()
	return a, nil
}

// begin opens what the service consists of. from is nil unless another process has it.
func (a *app) begin(from *inheritance) (err error) {
	if a.engine, err = openEngine(a.cfg, from != nil, a.log); err != nil {
		return err
	}
	a.engine.Bans = protectedBans{a.engine.Bans, a.protected}
	a.health = &health{base: a.cfg.BasePath, ending: &a.ending, engine: a.engine.status, log: a.log}
	a.openAdmin()
	if from == nil {
		if err = a.listenAll(); err != nil {
			return err
		}
	}
	if err = a.openWatch(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	handler := &adapter{watch: a.watch}
	if a.server, err = server.New(a.serverConfig(handler, mux)); err != nil {
		return err
	}
	a.hub = chat.New(a.hubConfig())
	handler.hub = a.hub
	a.route(mux)
	if isAny(a.cfg.PublicOrigins) {
		a.log.Warn("public_origins contains *: any page of the web may connect in its visitor's name")
	}
	if from == nil {
		return nil
	}
	return from.takeOver(handler)
}

// listenAll opens the listeners.
func (a *app) listenAll() error {
	ln, err := a.listen()
	if err != nil {
		return err
	}
	a.setListener(ln)
	return a.listenAdmin(nil)
}

// abandon closes what was opened for a server that could not start because of err.
func (a *app) abandon(err error) error {
	if a.ln != nil {
		err = errors.Join(err, a.ln.Close())
	}
	err = errors.Join(err, a.admin.close())
	if a.engine != nil {
		err = a.engine.abandon(err)
	}
	return err
}

func (a *app) readPublishKey() (err error) {
	a.publishKey, err = publishKey(a.cfg)
	return err
}

func (a *app) serverConfig(h server.Handler, mux http.Handler) server.Config {
	cfg := a.cfg
	upgrader := originsUpgrader(cfg.PublicOrigins)
	if cfg.Deflate {
		upgrader.Deflate = &handshake.DeflateOptions{}
	}
	sc := server.Config{
		Handler:            h,
		Upgrader:           upgrader,
		HTTP:               a.watch.noteErrors(underBase(cfg.BasePath, mux)),
		Paths:              endpointPaths(cfg.BasePath),
		HTTPServer:         limitHTTP,
		Refused:            a.watch.refused,
		Unused:             a.watch.unused,
		Loops:              cfg.Loops,
		MaxMessage:         cfg.MaxMessage,
		WriteQueue:         cfg.WriteQueue,
		MemoryBudget:       orOff(cfg.MemoryBudget),
		MaxConns:           orOff(cfg.Limits.Connections),
		MaxHTTPConns:       cfg.Limits.HTTPConnections,
		AcceptRate:         orOff(cfg.Limits.AcceptsPerSecond),
		PingInterval:       cfg.PingInterval,
		PingMisses:         cfg.PingMisses,
		MaxConnsPerAddress: orOff(cfg.Limits.ConnectionsPerAddress),
		Probe:              a.health.probe,

		MaxHTTPConnsPerAddress:   orOff(cfg.Limits.HTTPConnectionsPerAddress),
		MaxRequestRatePerAddress: orOff(cfg.Limits.AddressRequestsPerSecond),
		RequestBurstPerAddress:   orOff(cfg.Limits.AddressRequestsBurst),

		MaxHandshakeRate: orOff(cfg.Limits.HandshakesPerSecond),
		Logger:           a.log,

		// The process is the server's own.
		ReleaseAfter: 16 << 20,
		BusyPoll:     50 * time.Microsecond,
	}
	a.setNetwork(&sc)
	return sc
}

// limitHTTP bounds the requests of strangers. None of the service's own takes long, and those
// of the API have bodies of a few kilobytes.
func limitHTTP(hs *http.Server) {
	hs.ReadTimeout, hs.WriteTimeout, hs.IdleTimeout = 5*time.Second, 30*time.Second, 30*time.Second
	hs.MaxHeaderBytes = 12 << 10 // net/http adds 4 KiB
}

// openControl opens the control socket in the data folder, unless it is open already. Without it, the
// server runs.
func (a *app) openControl(ln net.Listener) {
	if a.engine.store == nil {
		return
	}
	var err error
	if a.control, err = openControl(a, ln); err != nil {
		a.log.Warn("there is no control socket in the data folder, so \"hawser backup\" does not work while the server runs", "error", err)
	}
}

func (a *app) hubConfig() chat.Config {
	l, c := a.cfg.Limits, a.cfg.Chat
	limits := chat.Limits{Content: l.Content, Metadata: l.Metadata, Rooms: l.Rooms, MessageBytes: a.cfg.MaxMessage, Errors: l.ErrorsPerMinute,
		UserConnections: l.ConnectionsPerUser, Roles: l.Roles}
	if l.MessagesPerSecond > 0 {
		limits.MessagesPerSecond, limits.Burst = l.MessagesPerSecond, l.Burst
		limits.UserMessagesPerSecond, limits.AddressMessagesPerSecond = l.UserMessagesPerSecond, l.AddressMessagesPerSecond
		limits.UserBytesPerDay, limits.AddressBytesPerDay = l.UserBytesPerDay, l.AddressBytesPerDay
		limits.UserRoomsPerHour, limits.AddressRoomsPerHour = l.UserRoomsPerHour, l.AddressRoomsPerHour
		limits.UserRoomsPerDay, limits.AddressRoomsPerDay = l.UserRoomsPerDay, l.AddressRoomsPerDay
		limits.RoomMessagesPerSecond, limits.RoomDeliveriesPerSecond = l.RoomMessagesPerSecond, l.RoomDeliveriesPerSecond
	}
	limiter := chat.NewLimiter(limits, chat.SystemClock())
	if a.engine.usage != nil {
		limiter = chat.NewSharedLimiter(limits, chat.SystemClock(), a.engine.usage)
	}
	return chat.Config{
		Engine:            a.engine.Engine,
		Limiter:           limiter,
		Auth:              a.engine.tokens,
		NewFanout:         func() chat.Fanout { return group{a.server.NewGroup()} },
		Limits:            limits,
		Pages:             pages(a.cfg),
		AuthTimeout:       a.cfg.AuthTimeout,
		HeartbeatInterval: c.HeartbeatInterval,
		OperationTimeout:  c.OperationTimeout,
		Queue:             c.Queue,
		ConnectionQueue:   c.ConnectionQueue,
		Sequencers:        c.Sequencers,
		Workers:           c.Workers,
		Log:               a.log,
		Observer:          a.watch.observer(a.admin.observer()),
		Warden:            a.watch.warden(),
	}
}

// pages are the bounds of answers. One that takes half of a write queue leaves room for what
// else is said to a connection.
func pages(cfg config.Config) chat.Pages {
	c := cfg.Chat
	return chat.Pages{History: c.HistoryPage, HistoryDefault: c.HistoryDefault, HistoryBytes: min(c.HistoryBytes, cfg.WriteQueue/2),
		List: c.ListPage, Presence: c.PresenceList}
}

// route registers the handlers of the service.
func (a *app) route(mux *http.ServeMux) {
	mux.Handle("/", web.Handler())
	if base := a.cfg.BasePath; slices.Contains(endpoints, base) {
		handleEndpoint(mux, base, a.server)
	}
	if a.cfg.Guests {
		handleEndpoint(mux, "/api/guest", &api.Guests{
			Users:       a.engine.Directory,
			Tokens:      a.engine.tokens,
			Address:     remoteAddr,
			CheckOrigin: originCheck(a.cfg.PublicOrigins),
			Rate:        api.NewRate(a.cfg.Limits.GuestsPerMinute, chat.SystemClock().Monotonic),
			Observer:    a.admin.observer(),
			Log:         a.log,
		})
	}
	handleEndpoint(mux, "/api/publish", a.watch.keyed(&api.Publish{Hub: a.hub, Users: a.engine.Directory, Key: a.publishKey, MaxBody: a.cfg.MaxMessage, Log: a.log}))
}

const (
	// openTime is how long a Redis may take to answer when the server starts.
	openTime = 10 * time.Second

	// closeTime is how long the engine may take to close, when nothing is left to be written.
	closeTime = 5 * time.Second
)

// stop ends the service in an order that loses nothing: what was accepted is stored and sent,
// then the connections are closed, then the engine. Before that comes the drain, during which
// each connection is served until it is closed.
func (a *app) stop() error {
	a.ending.Store(true)
	a.hub.AnnounceShutdown()
	if a.cfg.DrainTime > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTime+a.cfg.ShutdownTimeout)
		defer cancel()
		a.warnOfCut(a.server.Drain(ctx, a.cfg.DrainTime))
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
	defer cancel()
	if err := a.hub.Shutdown(ctx); err != nil {
		a.log.Warn("the chat did not finish in time", "error", err)
	}
	a.warnOfCut(a.server.Shutdown(ctx))
	a.control.close()
	a.watch.close()
	closing, cancelClosing := context.WithTimeout(context.Background(), closeTime)
	defer cancelClosing()
	err := a.engine.Health.Close(closing)
	return errors.Join(err, a.admin.close()) // until now it answered that the server is stopping
}

func (a *app) warnOfCut(err error) {
	if err != nil {
		a.log.Warn("not every connection ended in time", "error", err)
	}
}

// orOff turns the configuration's 0 for no limit into server.Off.
func orOff(n int) int {
	if n == 0 {
		return server.Off
	}
	return n
}

func remoteAddr(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr) // net/http sets it; the zero Addr counts as one more
	return addr.Addr()
}

// hangup handles SIGHUP.
func (a *app) hangup() {
	if a.certs == nil && a.auditFile == nil {
		a.log.Info("SIGHUP: there is nothing to reload")
	}
	a.reopenAudit()
	if a.certs != nil {
		a.certs.Reload()
	}
}

func newLog(cfg config.Config, w io.Writer) output.Log {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	return output.NewLog(w, func(w io.Writer) slog.Handler {
		if cfg.LogFormat == "json" {
			// slog leaves DEL, C1 and what reorders text as they are.
			return slog.NewJSONHandler(terminal.NewFileWriter(w), options)
		}
		return slog.NewTextHandler(w, options)
	})
}
