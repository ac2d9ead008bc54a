package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/handshake"
)

// Without TLS and without a proxy that names its clients, every handshake at every path is answered by a loop.
// That does not change who may connect, and does not keep the page and the probes from net/http.
func TestHandshakesOnLoops(t *testing.T) {
	for _, c := range []struct {
		args            []string
		own, other, any bool // which pages may connect
		loops           bool
	}{
		{[]string{"--hsts=8760h"}, true, false, false, true},
		{[]string{"--public-origins=https://chat.example", "--base-path=/chat"}, false, true, false, true},
		{[]string{"--public-origins=*", "--deflate", "--bans.offences=0"}, true, true, true, true},
		{[]string{"--trusted-proxies=192.0.2.1", "--forwarded-header=x-forwarded-for"}, true, false, false, false},
	} {
		s := launch(t, t.TempDir(), "127.0.0.1:0", append(c.args, "--admin-listen=127.0.0.1:0", "--bans.allow=127.0.0.1")...)
		origins := map[string]bool{"": true, s.url: c.own, "https://chat.example": c.other, "https://evil.example": c.any}
		paths := []string{"/ws", "/ws/", "/connect", "/connect/"}
		if strings.Contains(strings.Join(c.args, " "), "base-path") {
			paths = append(paths, "/chat/ws", "/chat/ws/", "/chat/connect", "/chat/chat/")
		} else {
			paths = append(paths, "/chat", "/chat/")
		}
		open := 0
		for origin, admitted := range origins {
			for _, path := range paths {
				nc, _, res, err := handshake.Dial(context.Background(), s.ws(path), &handshake.DialOptions{Header: http.Header{"Origin": {origin}}})
				if (err == nil) != admitted {
					t.Errorf("%q: %s, Origin %q: %v, %v", c.args, path, origin, res.Header, err)
				}
				if err == nil {
					defer nc.Close()
					open++
				}
			}
		}
		for path, want := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 200, "/nothing": 404, "/ws": 400} {
			if status, _ := get(t, s.url+path); status != want {
				t.Errorf("%q: %s: %d; want %d", c.args, path, status, want)
			}
		}
		_, exposition := get(t, s.admin(t)+"/metrics")
		onLoops := 0
		if c.loops {
			onLoops = open
		}
		for name, want := range map[string]int{"hawser_handshakes_total{code=\"101\"}": open, "hawser_handshakes_on_loops_total": onLoops} {
			if !strings.Contains(exposition, fmt.Sprintf("\n%s %d\n", name, want)) {
				t.Errorf("%q: %s is not %d:\n%s", c.args, name, want, exposition)
			}
		}
	}
}
