package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/alert"
)

// from returns a client that connects from an address of this machine.
func from(addr string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
}

// scan asks for pages that are not there until the answer is another one. It returns how many
// there were, and that answer or error.
func scan404(t *testing.T, c *http.Client, url string, header http.Header) (n int, answer *http.Response, err error) {
	t.Helper()
	for n = range 1000 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint(url, "/nothing/", n), nil)
		r.Header = header
		if answer, err = c.Do(r); err != nil {
			return n, nil, err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			return n, answer, nil
		}
	}
	return n, answer, nil
}

// hook is the other end of an alert webhook.
func hook(t *testing.T, key string) (url string, alerts <-chan map[string]any) {
	got := make(chan map[string]any, 99)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var at int64
		fmt.Sscanf(r.Header.Get(alert.SignatureHeader), "t=%d,", &at)
		if want := alert.Signature([]byte(key), time.Unix(at, 0), body); r.Header.Get(alert.SignatureHeader) != want {
			t.Errorf("signed %q, want %q", r.Header.Get(alert.SignatureHeader), want)
		}
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		got <- m
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func keyFile(t *testing.T, key string) string {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A scan bans an address. It is then turned away before anything is read, others are not; the ban
// is in the log, in a metric, and arrives at a webhook; and it holds after a restart (A17).
func TestA17ScanIsBanned(t *testing.T) {
	const key = "a-key-of-some-length"
	url, alerts := hook(t, key)
	data := t.TempDir()
	args := []string{"--bans.allow=", "--alert-webhook", url, "--alert-key-file", keyFile(t, key), "--admin-listen=127.0.0.1:0"}
	s := launch(t, data, "127.0.0.1:0", args...)
	n, answer, err := scan404(t, from("127.0.0.2"), s.url, nil)
	if err == nil && answer.StatusCode != http.StatusForbidden || n < 19 {
		t.Errorf("after %d requests: %v, %v", n, answer, err)
	}
	if a := <-alerts; a["kind"] != "ban" || a["subject"] != "127.0.0.2/32" {
		t.Errorf("the alert is %v", a)
	}
	for deadline := time.Now().Add(patience); !strings.Contains(s.log.String(), `level=WARN msg="alert: 127.0.0.2/32 was banned" kind=ban subject=127.0.0.2/32`); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) { // the log comes through a pipe
			t.Fatalf("the log is\n%s", s.log)
		}
	}
	if _, exposition := get(t, s.admin(t)+"/metrics"); !strings.Contains(exposition, "\nhawser_alerts_total{kind=\"ban\"} 1\n") ||
		!strings.Contains(exposition, "\nhawser_offences_total{kind=\"bad_request\"} ") {
		t.Error(exposition)
	}
	for range 2 {
		if answer, err := from("127.0.0.2").Get(s.url); err == nil {
			t.Errorf("who is banned gets %s", answer.Status)
		}
		if answer, err := from("127.0.0.3").Get(s.url); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("who is not banned: %v, %v", answer, err)
		}
		s.stop()
		s = launch(t, data, "127.0.0.1:0", args...)
	}
}

// Behind a proxy that names the client, it is the client who is banned, and told until when; the
// proxy never is.
func TestBannedBehindProxy(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--bans.allow=", "--trusted-proxies=127.0.0.2", "--forwarded-header=x-forwarded-for")
	for _, client := range []string{"203.0.113.9", "2001:db8::9"} {
		header := http.Header{"X-Forwarded-For": {client}}
		n, answer, err := scan404(t, from("127.0.0.2"), s.url, header)
		if err != nil || answer.StatusCode != http.StatusForbidden || n < 19 {
			t.Fatalf("after %d requests: %v, %v", n, answer, err)
		}
		if after := answer.Header.Get("Retry-After"); after != "600" && after != "599" && after != "598" {
			t.Errorf("Retry-After is %q", after)
		}
	}
	for _, client := range []string{"203.0.113.10", ""} {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url, nil)
		if client != "" {
			r.Header.Set("X-Forwarded-For", client)
		}
		if answer, err := from("127.0.0.2").Do(r); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%q: %v, %v", client, answer, err)
		}
	}
}

// Who is allowed is never banned; without offences nobody is.
func TestNeverBanned(t *testing.T) {
	for _, args := range [][]string{nil, {"--bans.allow=127.0.0.2"}, {"--bans.allow=", "--bans.offences=0"}} {
		s := launch(t, t.TempDir(), "127.0.0.1:0", args...)
		for i := range 50 {
			answer, err := from("127.0.0.2").Get(fmt.Sprint(s.url, "/nothing/", i))
			if err != nil || answer.StatusCode != http.StatusNotFound {
				t.Fatalf("%q: %v, %v", args, answer, err)
			}
			answer.Body.Close()
		}
	}
}
