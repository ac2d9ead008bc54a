package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/guard"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/adminapi"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/alert"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// watch looks at what clients do and how the server is: it raises alerts, and bans who behaves as
// no honest client does.
type watch struct {
	a      *app
	alerts *alert.Alerts
	guard  *guard.Guard // nil: nobody is banned automatically

	overloaded atomic.Bool // the chat has refused something as it has too much to do

	ending chan struct{}
	over   sync.WaitGroup
}

// watchEvery is how often the engine is looked at.
const watchEvery = time.Second

// minAlertKey is the minimum length of a key that cannot be guessed.
const minAlertKey = 16

// openWatch gets ready. The engine must be open.
func (a *app) openWatch() error {
	var hook *alert.Webhook
	if a.cfg.AlertWebhook != "" {
		b, err := os.ReadFile(a.cfg.AlertKeyFile)
		if err != nil {
			return fmt.Errorf("alert_key_file: %w", err)
		}
		key := strings.TrimSpace(string(b))
		if len(key) < minAlertKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("alert_key_file: %s does not contain a key, which is one word of at least %d ASCII characters", a.cfg.AlertKeyFile, minAlertKey)
		}
		hook = alert.NewWebhook(a.cfg.AlertWebhook, []byte(key), nil, a.log)
	}
	w := &watch{a: a, alerts: alert.New(a.log, nil, hook), ending: make(chan struct{})}
	if b := a.cfg.Bans; b.Offences > 0 {
		w.guard = guard.New(guard.Config{
			Bans: recordedBans{a.engine.Bans, a}, Log: a.log, Now: a.engine.Log.Now,
			Offences: b.Offences, Window: b.Window, Duration: b.Duration, Longest: b.Longest,
			Allowed: a.neverBanned,
			UsersAt: func(p netip.Prefix, limit int) []string { return a.hub.UsersAt(p, limit) },
			User:    a.engine.Directory.User,
			Report:  w.reported,
		})
	}
	a.watch = w
	return nil
}

// neverBanned reports whether a network must not be banned: an address of a proxy, or of the
// administrator's choice, is in it. Nobody is while the server ends, and its people leave.
func (a *app) neverBanned(network netip.Prefix) bool {
	return a.ending.Load() || a.protected.Check(network) != nil
}

// protectedBans are bans that do not concern protected addresses, even if a larger network is
// banned.
type protectedBans struct {
	chat.Bans
	protected adminapi.Protected
}

// OfAddress implements chat.Bans.
func (b protectedBans) OfAddress(addr netip.Addr) (one chat.Ban, banned bool) {
	if one, banned = b.Bans.OfAddress(addr); banned && b.protected.Contains(addr) {
		return chat.Ban{}, false
	}
	return one, banned
}

// start begins to look at the engine.
func (w *watch) start() {
	w.over.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		away := false
		for {
			select {
			case <-w.ending:
				return
			case <-tick.C:
			}
			away = w.lookAtEngine(away)
			if w.overloaded.Swap(false) {
				w.alerts.Raise(alert.Alert{Kind: alert.Limit, Subject: "chat.queue", Text: "the chat has more to do than it can: operations are answered with 503"})
			}
		}
	})
}

// lookAtEngine raises an alert when the engine fails, and when it works again.
func (w *watch) lookAtEngine(wasAway bool) (away bool) {
	words, err := w.a.engine.status()
	switch {
	case err != nil && !wasAway:
		w.alerts.Raise(alert.Alert{Kind: alert.Engine, Subject: w.a.engine.where, Text: words, Fields: []slog.Attr{slog.Any("error", err)}})
	case err == nil && wasAway:
		w.alerts.Raise(alert.Alert{Kind: alert.Engine, Subject: w.a.engine.where, Text: "it works again", Resolved: true})
	}
	return err != nil
}

func (w *watch) close() {
	if w == nil {
		return
	}
	close(w.ending)
	w.over.Wait()
	if w.guard != nil {
		w.guard.Close()
	}
	w.alerts.Close()
}

// reported raises an alert for what the guard reports.
func (w *watch) reported(r guard.Report) {
	subject := r.Ban.Subject()
	one := alert.Alert{Subject: subject, Fields: []slog.Attr{slog.String("reason", r.Ban.Reason)}}
	switch r.Kind {
	case guard.Banned:
		one.Kind, one.Text = alert.Ban, subject+" was banned"
		length := time.Duration(r.Ban.Until-r.Ban.Since) * time.Millisecond
		one.Fields = append(one.Fields, slog.Int("strike", r.Ban.Strike), slog.Duration("for", length))
	case guard.Spared:
		one.Kind, one.Text = alert.Spared, subject+" should be banned, but well-behaved users share it"
	case guard.Failed:
		one.Kind, one.Text = alert.Engine, "a ban could not be stored"
		one.Subject = "bans" // one alert for all of them
		one.Fields = append(one.Fields, slog.String("whom", subject), slog.Any("error", r.Err))
	case guard.Attack:
		one = alert.Alert{Kind: alert.Attack, Text: fmt.Sprintf("%d users and networks were banned within a minute", r.Count)}
	}
	w.alerts.Raise(one)
}

// warden returns the hub's Warden; nil if nobody is banned automatically.
func (w *watch) warden() chat.Warden {
	if w.guard == nil {
		return nil
	}
	return w.guard
}

// observer returns an Observer that also notices when the chat is overloaded.
func (w *watch) observer(o chat.Observer) chat.Observer {
	if o == nil {
		o = chat.Unobserved{}
	}
	return loadObserver{o, &w.overloaded}
}

type loadObserver struct {
	chat.Observer
	overloaded *atomic.Bool
}

func (o loadObserver) Refused(reason string) {
	if reason == "overloaded" {
		o.overloaded.Store(true)
	}
	o.Observer.Refused(reason)
}

// refused notes a request that the server has refused.
func (w *watch) refused(r *http.Request, status int, reason string) {
	if n, ok := r.Context().Value(notedKey{}).(*noted); ok {
		n.done = true
	}
	switch {
	case status == http.StatusTooManyRequests:
		w.offended(chat.TooManyConnections, r)
	case status >= 400 && status < 500:
		w.offended(chat.BadRequest, r)
	case status == http.StatusServiceUnavailable && !w.a.ending.Load():
		w.alerts.Raise(alert.Alert{Kind: alert.Limit, Subject: reason, Text: "handshakes are refused, no matter from whom"})
	}
}

// unused notes a connection that ended without a request. Who is behind a proxy is not known.
func (w *watch) unused(peer netip.Addr) {
	if w.guard != nil {
		w.guard.Offended(chat.Offence{Kind: chat.Unused, Address: peer})
	}
}

func (w *watch) offended(k chat.OffenceKind, r *http.Request) {
	if w.guard != nil {
		w.guard.Offended(chat.Offence{Kind: k, Address: remoteAddr(r)})
	}
}

// noteErrors notes what handlers refuse, unless it has been noted by others.
func (w *watch) noteErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.guard == nil {
			next.ServeHTTP(rw, r)
			return
		}
		n, seen := &noted{}, &statusWriter{ResponseWriter: rw}
		r = r.WithContext(context.WithValue(r.Context(), notedKey{}, n))
		next.ServeHTTP(seen, r)
		if s := seen.status; s >= 400 && s < 500 && !n.done {
			w.offended(chat.BadRequest, r)
		}
	})
}

// noted says that what a request was refused for has been noted, or is no offence.
type noted struct{ done bool }

type notedKey struct{}

// keyed is a handler for those who have a key: only a wrong one is an offence.
func (w *watch) keyed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: rw}
		next.ServeHTTP(seen, r)
		if n, ok := r.Context().Value(notedKey{}).(*noted); ok && seen.status != http.StatusUnauthorized {
			n.done = true
		}
	})
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ended notes a connection that has broken the protocol of WebSockets.
func (w *watch) ended(c *chat.Connection, err error) {
	var end *server.CloseError
	var broken *wsproto.PeerError
	if errors.As(err, &end) && errors.As(end.Err, &broken) && (broken.Code == wsproto.CloseProtocolError || broken.Code == wsproto.CloseInvalidPayload) {
		c.BrokeProtocol()
	}
}
