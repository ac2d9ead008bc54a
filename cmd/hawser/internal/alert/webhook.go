package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWaiting is how many urgent alerts wait for the webhook, and how many others; further
	// ones are not sent.
	maxWaiting = 256

	// hookTime is how long one request may take.
	hookTime = 5 * time.Second

	// closeTime is how long Close waits for the alerts that must still be sent.
	closeTime = 2 * time.Second
)

// pauses are the waits before each further try.
var pauses = []time.Duration{time.Second, 4 * time.Second, 16 * time.Second}

// SignatureHeader has the moment of a request, in s since 1970, and the HMAC-SHA-256 of that
// moment, a dot and the body, with the key, in hexadecimal: "t=1754474400,v1=…". A receiver
// should refuse moments that are minutes away: such a request could be a replay.
const SignatureHeader = "Hawser-Signature"

// Webhook sends alerts to a URL as POST requests of JSON.
type Webhook struct {
	url    string
	key    []byte
	client *http.Client
	log    *slog.Logger

	urgent, others queue // which do not wait for each other

	ending chan struct{}
	over   sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc

	sent, failed, dropped atomic.Uint64
}

// queue has the bodies of requests that wait.
type queue struct {
	bodies chan []byte
	full   atomic.Bool // that was logged
}

// isUrgent reports whether alerts of a kind must not wait for those that an attacker can cause in
// any number.
func (k Kind) isUrgent() bool { return k != Ban && k != Spared }

// NewWebhook returns a Webhook that signs with key. A nil client means one without proxies and
// redirects.
func NewWebhook(url string, key []byte, client *http.Client, log *slog.Logger) *Webhook {
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	w := &Webhook{url: url, key: key, client: client, log: log, ending: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for _, q := range []*queue{&w.urgent, &w.others} {
		q.bodies = make(chan []byte, maxWaiting)
		w.over.Go(func() { w.run(q) })
	}
	return w
}

// Sent, Failed and Dropped return how many alerts have arrived, have not arrived after all tries,
// and were not tried because too many were waiting.
func (w *Webhook) Sent() uint64    { return w.sent.Load() }
func (w *Webhook) Failed() uint64  { return w.failed.Load() }
func (w *Webhook) Dropped() uint64 { return w.dropped.Load() }

// message is the body of a request.
type message struct {
	Kind     Kind           `json:"kind"`
	Subject  string         `json:"subject"`
	Text     string         `json:"text"`
	Resolved bool           `json:"resolved"`
	Time     string         `json:"time"` // RFC 3339
	LeftOut  int            `json:"left_out,omitempty"`
	Fields   map[string]any `json:"fields,omitempty"`
}

// send queues an alert. It does not block.
func (w *Webhook) send(one *Alert, at time.Time, more int) {
	m := message{one.Kind, one.Subject, one.Text, one.Resolved, at.UTC().Format(time.RFC3339Nano), more, nil}
	for _, f := range one.Fields {
		if m.Fields == nil {
			m.Fields = make(map[string]any)
		}
		m.Fields[f.Key] = f.Value.Resolve().String()
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // everything in it can be encoded
	}
	q := &w.others
	if one.Kind.isUrgent() {
		q = &w.urgent
	}
	select {
	case q.bodies <- body:
	default:
		w.dropped.Add(1)
		if !q.full.Swap(true) {
			w.log.Warn("alerts are not sent to the webhook, as too many wait for it", "waiting", maxWaiting, "urgent", one.Kind.isUrgent())
		}
	}
}

func (w *Webhook) run(q *queue) {
	for {
		select {
		case body := <-q.bodies:
			w.deliver(body)
			continue
		default:
			q.full.Store(false)
		}
		select {
		case body := <-q.bodies:
			w.deliver(body)
		case <-w.ending:
			return
		}
	}
}

// deliver sends one alert, and tries that again if it fails.
func (w *Webhook) deliver(body []byte) {
	for try := 0; ; try++ {
		err := w.post(body)
		if err == nil {
			w.sent.Add(1)
			return
		}
		if try == len(pauses) || w.ctx.Err() != nil {
			w.failed.Add(1)
			w.log.Warn("an alert was not taken by the webhook", "error", err, "tries", try+1)
			return
		}
		pause := time.NewTimer(pauses[try])
		select {
		case <-pause.C:
		case <-w.ending: // one more try at once
		case <-w.ctx.Done():
		}
		pause.Stop()
	}
}

func (w *Webhook) post(body []byte) error {
	ctx, cancel := context.WithTimeout(w.ctx, hookTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "hawser")
	r.Header.Set(SignatureHeader, Signature(w.key, time.Now(), body))
	answer, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	return nil
}

// Signature returns the value of SignatureHeader for a body.
func Signature(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// close sends the waiting alerts, for a short time, and ends.
func (w *Webhook) close() {
	stop := time.AfterFunc(closeTime, w.cancel)
	close(w.ending)
	w.over.Wait()
	stop.Stop()
	w.cancel()
	w.client.CloseIdleConnections()
}
