package alert

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver is the other end of a webhook: it receives a client's requests without a network.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	heads  []http.Header
	answer func(n int) (status int, err error)
	refuse string // with 503, if the body has it; "": nothing
	n      int
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	r.n++
	status := http.StatusNoContent
	if r.answer != nil {
		var err error
		if status, err = r.answer(r.n); err != nil {
			return nil, err
		}
	}
	if r.refuse != "" && strings.Contains(string(body), r.refuse) {
		status = http.StatusServiceUnavailable
	}
	if status < 300 {
		r.bodies, r.heads = append(r.bodies, string(body)), append(r.heads, req.Header)
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: http.NoBody, Request: req}, nil
}

func bubble(t *testing.T, answer func(n int) (int, error), f func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		r := &receiver{answer: answer}
		w := NewWebhook("http://alerts.invalid/", []byte("secret"), &http.Client{Transport: r}, logger)
		a := New(logger, nil, w)
		f(a, w, r, &log)
		a.Close()
	})
}

func TestAlert(t *testing.T) {
	bubble(t, nil, func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer) {
		for range 3 {
			a.Raise(Alert{Kind: Ban, Subject: "u_eve", Text: "u_eve was banned", Fields: []slog.Attr{slog.Duration("for", 10*time.Minute)}})
		}
		a.Raise(Alert{Kind: Ban, Subject: "u_mallory", Text: "u_mallory was banned"})
		time.Sleep(quiet)
		synctest.Wait()
		a.Raise(Alert{Kind: Ban, Subject: "u_eve", Text: "u_eve was banned"})
		a.Raise(Alert{Kind: Engine, Subject: "redis", Text: "it works again", Resolved: true})
		synctest.Wait()
		if n := a.Count(Ban); n != 5 {
			t.Errorf("%d bans counted", n)
		}
		for _, line := range []string{
			`level=WARN msg="alert: u_eve was banned" kind=ban subject=u_eve resolved=false for=10m0s`,
			`level=WARN msg="alert: u_mallory was banned" kind=ban subject=u_mallory resolved=false`,
			`level=WARN msg="alert: u_eve was banned" kind=ban subject=u_eve resolved=false`,
			`level=WARN msg="alert: 2 more alerts of this kind were left out" kind=ban subject=u_eve resolved=false left_out=2`,
			`level=INFO msg="alert: it works again" kind=engine subject=redis resolved=true`,
		} {
			if strings.Count(log.String(), line+"\n") != 1 {
				t.Errorf("%s is not there once:\n%s", line, log)
			}
		}
		if len(r.bodies) != 5 || w.Sent() != 5 {
			t.Fatalf("%d requests, %d sent", len(r.bodies), w.Sent())
		}
		var got message
		if !strings.Contains(r.bodies[2], `"left_out":2`) {
			t.Errorf("the summary is %s", r.bodies[2])
		}
		if err := json.Unmarshal([]byte(r.bodies[0]), &got); err != nil || got.Kind != Ban || got.Subject != "u_eve" || got.Fields["for"] != "10m0s" {
			t.Errorf("%s: %v", r.bodies[0], err)
		}
		signature := r.heads[0].Get(SignatureHeader)
		stamp, _, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",")
		s, _ := strconv.ParseInt(stamp, 10, 64)
		if want := Signature([]byte("secret"), time.Unix(s, 0), []byte(r.bodies[0])); signature != want {
			t.Errorf("signed %s, want %s", signature, want)
		}
	})
}

// A failed request to the webhook is tried again, and given up in the end; meanwhile nothing
// waits for it.
func TestWebhookFails(t *testing.T) {
	bubble(t, func(n int) (int, error) {
		switch {
		case n == 1:
			return 0, io.ErrUnexpectedEOF
		case n == 2:
			return http.StatusInternalServerError, nil
		case n == 3:
			return http.StatusOK, nil
		}
		return http.StatusFound, nil
	}, func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer) {
		begin := time.Now()
		a.Raise(Alert{Kind: Attack, Text: "first"})
		a.Raise(Alert{Kind: Limit, Text: "second"})
		if took := time.Since(begin); took > 0 {
			t.Errorf("waited for %v", took)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.bodies) != 1 || w.Sent() != 1 || w.Failed() != 1 {
			t.Errorf("%d requests, %d sent, %d failed", len(r.bodies), w.Sent(), w.Failed())
		}
		if !strings.Contains(log.String(), `msg="an alert was not taken by the webhook" error="the answer is Found" tries=4`) {
			t.Error(log)
		}
	})
}

// Excess alerts about bans are dropped, which is logged once; an urgent one does not wait for
// them.
func TestWebhookUrgent(t *testing.T) {
	bubble(t, nil, func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer) {
		r.refuse = `"kind":"ban"`
		for i := range 3 * maxWaiting {
			w.send(&Alert{Kind: Ban, Subject: strconv.Itoa(i)}, time.Now(), 0)
		}
		a.Raise(Alert{Kind: Engine, Subject: "Redis", Text: "the store does not work"})
		synctest.Wait()
		if len(r.bodies) != 1 || !strings.Contains(r.bodies[0], "the store does not work") {
			t.Errorf("sent are %q", r.bodies)
		}
		if w.Dropped() < maxWaiting {
			t.Errorf("%d dropped", w.Dropped())
		}
		if n := strings.Count(log.String(), "too many wait for it"); n != 1 {
			t.Errorf("the log says %d times that alerts are dropped", n)
		}
	})
}

// Close sends the waiting alerts, but not for long.
func TestClose(t *testing.T) {
	bubble(t, nil, func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer) {
		for i := range 20 {
			a.Raise(Alert{Kind: Ban, Subject: strconv.Itoa(i)})
		}
		w.close()
		if len(r.bodies) != 20 {
			t.Errorf("%d of 20 were sent", len(r.bodies))
		}
		a.hook = nil
	})
	bubble(t, func(int) (int, error) { return http.StatusBadGateway, nil }, func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer) {
		for i := range 20 {
			a.Raise(Alert{Kind: Ban, Subject: strconv.Itoa(i)})
		}
		begin := time.Now()
		w.close()
		if took := time.Since(begin); took > closeTime {
			t.Errorf("Close took %v", took)
		}
		a.hook = nil
	})
}

// The end of a condition, and its return, are reported even if little time has passed.
func TestFlapping(t *testing.T) {
	bubble(t, nil, func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer) {
		for range 3 {
			a.Raise(Alert{Kind: Engine, Subject: "Redis", Text: "the store does not work"})
			time.Sleep(time.Second)
			a.Raise(Alert{Kind: Engine, Subject: "Redis", Text: "it works again", Resolved: true})
			time.Sleep(time.Second)
		}
		a.Raise(Alert{Kind: Engine, Subject: "Redis", Text: "the store does not work"})
		time.Sleep(time.Hour)
		a.Raise(Alert{Kind: Engine, Subject: "Redis", Text: "it works again", Resolved: true})
		synctest.Wait()
		for text, want := range map[string]int{"the store does not work": 4, "it works again": 4, "left_out": 0} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("%q was told %d times, want %d", text, n, want)
			}
		}
	})
}

// Whatever an attacker does, few alerts of a kind are sent, other kinds are unaffected, and
// little is remembered.
func TestManySubjects(t *testing.T) {
	bubble(t, nil, func(a *Alerts, w *Webhook, r *receiver, log *bytes.Buffer) {
		const each = 2000
		for minute := range 3 {
			for i := range each {
				a.Raise(Alert{Kind: Ban, Subject: strconv.Itoa(minute*each + i), Text: "somebody was banned"})
			}
			a.Raise(Alert{Kind: Engine, Subject: strconv.Itoa(minute), Text: "the store does not work"})
			time.Sleep(quiet + time.Second)
		}
		synctest.Wait()
		for text, want := range map[string]int{"somebody was banned": 3 * maxTold, "the store does not work": 3, "left_out=1970": 3} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("%q was told %d times, want %d", text, n, want)
			}
		}
		if n := a.Count(Ban); n != 3*each {
			t.Errorf("%d are counted", n)
		}
		for i := range 2 * manyTold {
			a.Raise(Alert{Kind: Ban, Subject: strconv.Itoa(-i)})
			time.Sleep(quiet)
		}
		synctest.Wait()
		if n := len(a.told); n > manyTold+1 {
			t.Errorf("%d are remembered", n)
		}
	})
}

// The number that was left out is also reported when the server ends.
func TestCloseTellsWhatWasLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := New(slog.New(slog.NewTextHandler(&log, nil)), nil, nil)
		for range 5 {
			a.Raise(Alert{Kind: Limit, Subject: "full"})
		}
		a.Close()
		if !strings.Contains(log.String(), "kind=limit subject=full resolved=false left_out=4") {
			t.Error(log.String())
		}
	})
}
