package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
)

// Every connection of the ramp is in the report, by its handshake too, whatever
// samples were taken while connections were still being made.
func TestEveryConnectionIsCounted(t *testing.T) {
	ca := certtest.New(t, "test")
	secure := newSubject(nil)
	cert := ca.Server()
	srv, err := server.New(server.Config{Handler: secure, MaxConnsPerAddress: server.Off, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
	})
	_, plain := serve(t, nil)
	const conns = 24
	for _, c := range []struct {
		scenario, url string
		members       int
		args          []string
	}{
		{"idle", plain + "/", conns, []string{"--hold", "10ms"}},
		{"idle", "wss://" + ln.Addr().String() + "/", conns, []string{"--hold", "10ms", "--insecure"}},
		{"echo", "wss://" + ln.Addr().String() + "/", conns, []string{"--rate", "100", "--insecure"}},
		{"fanout", plain + "/fanout", conns + 1, []string{"--rate", "20"}},
		{"slow", plain + "/fanout", conns + 1, []string{"--rate", "20"}},
		{"churn", plain + "/", conns, nil},
		{"storm", plain + "/", conns, []string{"--storm-every", "10s"}},
	} {
		t.Run(c.scenario+" "+c.url[:3], func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "r.json")
			args := append([]string{c.scenario, "--url", c.url, "--conns", fmt.Sprint(conns), "--warmup", "0s", "--duration", "100ms", "--json", path, "--quiet"}, c.args...)
			_, out, errs := wsbench(t, args...)
			r, err := result.Load(path)
			if err != nil {
				t.Fatalf("%v\n%s%s", err, out, errs)
			}
			if ramp := &r.Ramp.Tally; ramp.Opened != uint64(c.members) || ramp.Handshake.Count() != int64(c.members) {
				t.Errorf("%d connections and %d handshakes are counted, of %d", ramp.Opened, ramp.Handshake.Count(), c.members)
			}
			if want := fmt.Sprintf("%d of %d in ", c.members, c.members); !strings.Contains(out, want) {
				t.Errorf("the report lacks %q:\n%s", want, out)
			}
		})
	}
}

// Messages that cannot be recognised are shown as received, so that the cause is
// visible: here an unrequested greeting.
func TestStrangeMessagesAreShown(t *testing.T) {
	s, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) })
	s.greeting = "served by \x1b[2J" + strings.Repeat("x", 200)
	_, out, errs := wsbench(t, "echo", "--url", url+"/", "--conns", "40", "--threads", "1", "--rate", "100", "--warmup", "0s", "--duration", "500ms", "--quiet")
	if n := strings.Count(out, `text message "served by \x1b[2Jxx`); n != 5 || !strings.Contains(out, "(214 bytes)") || strings.Contains(out, "\x1b") {
		t.Errorf("%d of 5 messages are shown:\n%q%s", n, out, errs)
	}
}
