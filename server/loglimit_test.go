package server

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of each kind a few records pass in a second, and the number of the others follows
// at its end, also where nothing more comes.
func TestLimitLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &syncBuffer{}
		log := slog.New(LimitLog(slog.NewTextHandler(out, nil)))
		lines := func() int { return strings.Count(out.String(), "\n") }
		other := log.With("who", "other") // counts with log
		for i := range 500 {
			log.Warn("failed", "i", i)
			other.Warn("failed", "i", i)
		}
		if n := lines(); n != LogRate {
			t.Errorf("%d lines; want %d", n, LogRate)
		}
		log.Error("failed")
		log.Warn("rare", "a", 1)
		if n := lines(); n != LogRate+2 {
			t.Errorf("another kind is held back:\n%s", out)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !strings.Contains(out.String(), "level=WARN msg=failed suppressed=990") {
			t.Errorf("the number is missing:\n%s", out)
		}
		log.Warn("failed", "i", "again")
		if !strings.Contains(out.String(), "i=again") {
			t.Error("a second later it is still held back")
		}
		before := lines()
		time.Sleep(time.Minute)
		synctest.Wait()
		if lines() != before {
			t.Errorf("nothing was suppressed, but it is reported:\n%s", out)
		}
	})
}

// Messages that are all different are one kind in the end.
func TestLimitLogKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &syncBuffer{}
		log := slog.New(LimitLog(slog.NewTextHandler(out, nil)))
		for i := range 2 * maxLogKinds {
			log.Warn(fmt.Sprint("message ", i))
		}
		if n := strings.Count(out.String(), "\n"); n != maxLogKinds+LogRate {
			t.Errorf("%d lines; want %d", n, maxLogKinds+LogRate)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if want := fmt.Sprintf(`msg="other messages" suppressed=%d`, maxLogKinds-LogRate); !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %s", want)
		}
	})
}

// What strangers cause is limited with any logger: refusals, and what
// net/http says of broken handshakes, which names their addresses.
func TestRefusalsInLog(t *testing.T) {
	const flood = 20 * LogRate
	ts := start(t, Config{Handler: funcs{}})
	for range flood {
		ts.Server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	// It takes milliseconds. Should it last longer, more may pass.
	if n := strings.Count(ts.log.String(), "upgrade failed"); n == 0 || n > flood/2 {
		t.Errorf("%d lines of %d refusals", n, flood)
	}
	synctest.Test(t, func(t *testing.T) {
		out := &syncBuffer{}
		h := slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})
		w := httpLog{slog.New(LimitLog(h))}
		for i := range flood {
			fmt.Fprintf(w, "http: TLS handshake error from 192.0.2.1:%d: EOF\n", i)
		}
		if n := strings.Count(out.String(), "TLS handshake error"); n != LogRate {
			t.Errorf("%d lines of %d errors of net/http's", n, flood)
		}
		time.Sleep(time.Second)
	})
}
