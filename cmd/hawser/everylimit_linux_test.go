package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/config"
	"github.com/hawser-ws/hawser/wsproto"
)

// limitCase reaches one limit. meet does that, and checks what a client is told.
type limitCase struct {
	args []string
	meet func(t *testing.T, s *service)
	wait bool // what is over the limit waits, and is not refused
}

func (s *service) person(t *testing.T, name string) *chatClient {
	t.Helper()
	token, _ := s.guest(name)
	return s.device(t, token)
}

func (s *service) device(t *testing.T, token string) *chatClient {
	t.Helper()
	c, _, err := enter(s.ws("/ws"), token, "ack")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	return c
}

// refuses checks that something is refused for a reason, and when it may be tried again.
func refuses(t *testing.T, c *chatClient, reason string, later bool) {
	t.Helper()
	e, err := c.until("error")
	if err != nil || e.text("reason") != reason || (e.number("retry_after_ms") > 0) != later {
		t.Errorf("%v, %v; want %s, with a time after which to try again: %t", e, err, reason, later)
	}
}

// says sends messages, the last of which is refused.
func says(reason string, later bool, messages ...object) func(*testing.T, *service) {
	return func(t *testing.T, s *service) {
		c := s.person(t, "Ada")
		for _, m := range messages {
			c.send(m)
		}
		refuses(t, c, reason, later)
	}
}

// crowd has many connections say something at once. Those whose turn would come too late are
// refused.
func crowd(reason string, people bool, message object) func(*testing.T, *service) {
	return func(t *testing.T, s *service) {
		token, _ := s.guest("Ada")
		refused := make(chan object, 20)
		for range cap(refused) {
			if people {
				token, _ = s.guest("Ada")
			}
			c := s.device(t, token)
			c.send(message)
			go func() {
				e, _ := c.until("error")
				refused <- e
			}()
		}
		e := <-refused
		if e.text("reason") != reason || e.number("retry_after_ms") < 5000 {
			t.Errorf("%v; want %s, and not to try again within 5 s", e, reason)
		}
	}
}

// answers checks the status of the last of several requests, each on a connection of its own.
func answers(status int, requests ...string) func(*testing.T, *service) {
	return func(t *testing.T, s *service) {
		addr := strings.TrimPrefix(s.url, "http://")
		for i, request := range requests {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() })
			nc.SetDeadline(time.Now().Add(patience))
			io.WriteString(nc, request)
			if strings.Contains(request, "Content-Length") { // its answer comes when the rest has come
				continue
			}
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatal(err)
			}
			if last := i == len(requests)-1; last && (resp.StatusCode != status || resp.Header.Get("Retry-After") == "") {
				t.Errorf("%s, Retry-After %q; want %d", resp.Status, resp.Header.Get("Retry-After"), status)
			}
		}
	}
}

const (
	upgradeText = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	pageText    = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	partText    = "POST /api/guest HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
)

func say(room, content string) object {
	return object{"type": "group", "receiver_id": room, "content": content}
}

var limitCases = map[string]limitCase{
	"messages_per_second": {args: []string{"--limits.messages-per-second=1", "--limits.burst=1"}, wait: true, meet: func(t *testing.T, s *service) {
		c := s.person(t, "Ada")
		for range 3 {
			c.send(object{"type": "rooms"})
		}
	}},
	"user_messages_per_second":    {meet: crowd("rate_limited", false, object{"type": "rooms"})},
	"address_messages_per_second": {meet: crowd("rate_limited", true, object{"type": "rooms"})},
	"room_messages_per_second":    {meet: crowd("room_busy", true, say("lobby", "x"))},
	"room_deliveries_per_second":  {meet: crowd("room_busy", true, say("lobby", "x"))},
	"user_bytes_per_day":          {args: []string{"--limits.user-bytes-per-day=300B"}, meet: says("quota_exceeded", true, say("lobby", "xxxx"), say("lobby", "xxxx"))},
	"address_bytes_per_day":       {args: []string{"--limits.address-bytes-per-day=300B"}, meet: says("quota_exceeded", true, say("lobby", "xxxx"), say("lobby", "xxxx"))},
	"user_rooms_per_hour":         {meet: says("too_many_new_rooms", true, say("one", "x"), say("two", "x"))},
	"user_rooms_per_day":          {meet: says("too_many_new_rooms", true, say("one", "x"), say("two", "x"))},
	"address_rooms_per_hour":      {meet: says("too_many_new_rooms", true, say("one", "x"), say("two", "x"))},
	"address_rooms_per_day":       {meet: says("too_many_new_rooms", true, say("one", "x"), say("two", "x"))},
	"content":                     {meet: says("content_too_long", false, say("lobby", "xx"))},
	"metadata": {args: []string{"--limits.metadata=2B"}, meet: says("metadata_too_long", false,
		object{"type": "group", "receiver_id": "lobby", "content": "", "metadata": object{"k": 1}})},
	"rooms": {meet: says("too_many_rooms", false, object{"type": "join", "receiver_id": "one"}, object{"type": "join", "receiver_id": "two"})},
	"errors_per_minute": {meet: func(t *testing.T, s *service) {
		c := s.person(t, "Ada")
		c.send(object{"type": "shout"})
		var closed *closedError
		for err := error(nil); closed == nil; {
			if _, err = c.next(); err != nil && !errors.As(err, &closed) {
				t.Fatal(err)
			}
		}
		if closed.code != wsproto.ClosePolicyViolation || closed.reason != "too_many_errors" {
			t.Error(closed)
		}
	}},
	"connections_per_user": {meet: func(t *testing.T, s *service) {
		token, _ := s.guest("Ada")
		s.device(t, token)
		c, err := dialChat(s.ws("/ws"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.nc.Close()
		c.send(object{"type": "auth", "token": token})
		refuses(t, c, "too_many_connections", true)
		var closed *closedError
		if _, err := c.next(); !errors.As(err, &closed) || closed.code != wsproto.CloseTryAgainLater {
			t.Errorf("%v; want 1013", err)
		}
	}},
	"connections":                  {meet: answers(503, upgradeText, upgradeText)},
	"connections_per_address":      {meet: answers(429, upgradeText, upgradeText)},
	"http_connections":             {meet: answers(503, partText, pageText)},
	"http_connections_per_address": {meet: answers(429, partText, pageText)},
	"address_requests_per_second":  {args: []string{"--limits.address-requests-per-second=1", "--limits.address-requests-burst=1"}, meet: answers(429, pageText, pageText)},
	"handshakes_per_second":        {meet: answers(503, upgradeText, upgradeText)},
	"accepts_per_second":           {wait: true, meet: func(t *testing.T, s *service) { answers(0, partText, partText, partText)(t, s) }},
	"guests_per_minute": {meet: func(t *testing.T, s *service) {
		s.guest("Ada")
		resp, err := http.Post(s.url+"/api/guest", "application/json", strings.NewReader(`{"name":"Bob"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
		}
	}},
}

// partOf are the settings that are a part of another limit.
var partOf = map[string]string{"burst": "messages_per_second", "address_requests_burst": "address_requests_per_second", "roles": "messages_per_second"}

// A16, A19: every limit in the configuration is reached by a client, who is told when to try again
// where that helps, and is counted under the name of its setting. A limit without a case fails.
func TestEveryLimit(t *testing.T) {
	c := config.Default()
	seen := 0
	for _, l := range c.AllLimits() {
		name, ok := strings.CutPrefix(l.Setting, "limits.")
		if _, part := partOf[name]; !ok || part {
			continue
		}
		reach, ok := limitCases[name]
		if !ok {
			t.Errorf("nothing reaches %s", l.Setting)
			continue
		}
		seen++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := reach.args
			if args == nil {
				args = []string{"--limits." + strings.ReplaceAll(name, "_", "-") + "=1"}
			}
			s := launch(t, t.TempDir(), "127.0.0.1:0", append(args, "--admin-listen=127.0.0.1:0")...)
			reach.meet(t, s)
			metric := "hawser_limit_refusals_total"
			if reach.wait {
				metric = "hawser_limit_delays_total"
			}
			sample := regexp.MustCompile(fmt.Sprintf(`(?m)^%s\{limit="%s"\} (\d+)$`, metric, name))
			admin := s.admin(t)
			for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
				_, exposition := get(t, admin+"/metrics")
				m := sample.FindStringSubmatch(exposition)
				if m == nil {
					t.Fatalf("there is no %s of %s", metric, name)
				}
				if n, _ := strconv.Atoi(m[1]); n > 0 {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s of %s is %s", metric, name, m[1])
				}
			}
		})
	}
	if seen != len(limitCases) {
		t.Errorf("%d limits were reached; there are cases for %d", seen, len(limitCases))
	}
}

// A16, A19: the preset strict by itself, without a proxy: 10 connections of an address, and of its
// requests 20 at once and 5 a second. When a connection has ended, another one may come.
func TestA16PresetStrict(t *testing.T) {
	t.Parallel()
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--preset=strict")
	at := func(from string) client { return client{t, from, strings.TrimPrefix(s.url, "http://")} }
	token, _ := s.guest("Ada")
	var open []*chatClient
	for range 10 {
		open = append(open, s.device(t, token))
	}
	here := at("127.0.0.1")
	resp, body := here.upgrade()
	wantRefused(t, "the 11th connection", resp, body, "too many connections from this address")
	if resp, body := at("127.0.0.2").upgrade(); resp.StatusCode != 101 {
		t.Errorf("another address: %s %s", resp.Status, body)
	}
	open[0].nc.Close()
	for deadline := time.Now().Add(patience); resp.StatusCode != 101; time.Sleep(200 * time.Millisecond) { // its requests are limited, too
		if resp, body = here.upgrade(); time.Now().After(deadline) {
			t.Fatalf("when one has ended: %s %s", resp.Status, body)
		}
	}

	flood := make([]string, 60)
	for i := range flood {
		flood[i] = pageText
	}
	answers, bodies := at("127.0.0.3").ask(flood...)
	last := len(answers) - 1 // the refusal closes the connection
	if last < 20 {
		t.Fatalf("%d requests at once are answered; want 20", last)
	}
	wantRefused(t, "a request beyond the burst", answers[last], bodies[last], "too many requests from this address")
}
