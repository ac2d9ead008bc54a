package autobahn

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// fragile is a server that refuses every handshake, and ends at one of them, with all its
// connections.
type fragile struct {
	endsAt []byte // what a request that ends it contains
	always bool   // or only once

	mu sync.Mutex
	// Guarded by mu.
	down  bool
	ended int
	conns []net.Conn
}

func (f *fragile) dial(context.Context, string, string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	f.conns = append(f.conns, theirs)
	go f.serve(theirs)
	return ours, nil
}

func (f *fragile) serve(nc net.Conn) {
	defer nc.Close()
	b := make([]byte, 4096)
	n, _ := nc.Read(b)
	time.Sleep(10 * time.Millisecond)
	if bytes.Contains(b[:n], f.endsAt) {
		f.end()
		return
	}
	nc.Write([]byte("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\n\r\n"))
}

func (f *fragile) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended++; f.ended > 1 && !f.always {
		f.ended--
		return
	}
	f.down = true
	for _, nc := range f.conns {
		nc.Close()
	}
}

func (f *fragile) restart(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.conns = false, nil
	return ": exit status 2", nil
}

// A case that ends the server is FAILED and named, and the other cases have the same
// verdicts as without it.
func TestServerEndsInACase(t *testing.T) {
	all, _ := Cases(Suite)
	cases, err := Select(all, Server, []string{"H2.4", "H2.5", "H2.13", "H2.14", "H2.15", "H2.20", "H2.21", "H2.23", "H2.24", "H2.25", "H2.26", "H2.27"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		always  bool
		restart bool
		crashed []string
		results int
	}{
		{"each time", true, true, []string{"H2.25"}, len(cases)},
		{"once, and not alone", false, true, nil, len(cases)},
		{"and does not come back", true, false, nil, -1},
	} {
		for _, parallel := range []int{1, 5, 32} {
			synctest.Test(t, func(t *testing.T) {
				f := &fragile{endsAt: []byte("Version: 255"), always: c.always}
				gone := ""
				opt := &Options{Parallel: parallel, Gone: func(why string) { gone = why }}
				if c.restart {
					opt.Restart = f.restart
				}
				target := mustTarget(t, "ws://127.0.0.1:9001/")
				target.DialContext = f.dial
				results := TestServer(t.Context(), target, cases, opt)
				var crashed []string
				for _, r := range results {
					switch {
					case r.Crashed:
						crashed = append(crashed, r.Case.ID)
						if r.Behavior != Failed || c.restart && !strings.Contains(r.Reason, "exit status 2") {
							t.Errorf("%s, %d at once: %s: %s, %s", c.name, parallel, r.Case.ID, r.Behavior, r.Reason)
						}
					case c.restart && r.Behavior != OK && r.Case.ID != "H2.25":
						t.Errorf("%s, %d at once: %s: %s, %s", c.name, parallel, r.Case.ID, r.Behavior, r.Reason)
					case c.name == "once, and not alone" && r.Case.ID == "H2.25" && !strings.Contains(r.Varies, "H2.25"):
						t.Errorf("%d at once: H2.25 varies: %q", parallel, r.Varies)
					}
				}
				if c.restart && !slices.Equal(crashed, c.crashed) || c.results >= 0 && len(results) != c.results {
					t.Errorf("%s, %d at once: %q ended the server, %d results", c.name, parallel, crashed, len(results))
				}
				if (gone == "") == !c.restart || !c.restart && !strings.Contains(gone, "H2.25") {
					t.Errorf("%s, %d at once: gone: %q", c.name, parallel, gone)
				}
			})
		}
	}
}

// served is a target whose connections f serves. f gets their numbers, from 1.
func served(t *testing.T, f func(n int, nc net.Conn)) (target *Target, dialled *int) {
	target, dialled = mustTarget(t, "ws://127.0.0.1:9001/"), new(int)
	var mu sync.Mutex
	target.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		mu.Lock()
		defer mu.Unlock()
		*dialled++
		n := *dialled
		go func() {
			defer theirs.Close()
			f(n, theirs)
		}()
		return ours, nil
	}
	return target, dialled
}

// A case that may have lost a race is repeated, and the report says so.
func TestRepeat(t *testing.T) {
	all, _ := Cases(Suite)
	cases, _ := Select(all, Server, []string{"H2.24"}, nil)
	synctest.Test(t, func(t *testing.T) {
		target, _ := served(t, func(n int, nc net.Conn) {
			nc.Read(make([]byte, 4096))
			if n > 1 { // the first time TCP is closed without an answer: NON-STRICT
				nc.Write([]byte("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n\r\n"))
			}
		})
		r := TestServer(t.Context(), target, cases, &Options{})[0]
		if r.Behavior != OK || r.Varies != "not the same each time: NON-STRICT / OK; OK / OK" {
			t.Errorf("%s: %s; varies: %q", r.Behavior, r.Reason, r.Varies)
		}
	})
}

// Repeats against a server that always does the same wait in parallel.
func TestRepeatsSideBySide(t *testing.T) {
	all, _ := Cases(Suite)
	cases, _ := Select(all, Server, []string{"H2.24"}, nil)
	synctest.Test(t, func(t *testing.T) {
		target, dialled := served(t, func(_ int, nc net.Conn) {
			nc.Read(make([]byte, 4096))
			time.Sleep(time.Second) // and then no answer
		})
		begun := time.Now()
		r := TestServer(t.Context(), target, cases, &Options{})[0]
		if r.Behavior != NonStrict || r.Varies != "" || *dialled != 1+2+raceRepeats { // twice to see whether the server is there
			t.Errorf("%s: %s; varies: %q; %d connections", r.Behavior, r.Reason, r.Varies, *dialled)
		}
		if took := time.Since(begun); took > 6*time.Second { // the case, twice a look, one repeat, and five at once
			t.Errorf("it took %v", took)
		}
	})
}

// For a server that is silent in case after case, not all of them are repeated.
func TestSilentServerIsLeftAlone(t *testing.T) {
	all, _ := Cases(Suite)
	cases, _ := Select(all, Server, []string{"H2", "6"}, nil)
	synctest.Test(t, func(t *testing.T) {
		target, dialled := served(t, func(_ int, nc net.Conn) { discard(nc) })
		opt := &Options{Parallel: 8, Connections: 1}
		results := TestServer(t.Context(), target, cases, opt)
		if len(results) != len(cases) || !results[0].late {
			t.Errorf("%d results of %d cases; the first is late: %v", len(results), len(cases), results[0].late)
		}
		if again := *dialled - len(cases); again < maxLateAgain || again > maxLateAgain+opt.Parallel {
			t.Errorf("%d times asked again", again)
		}
	})
}

// A case is repeated with more time if the server missed a deadline, and not if it echoes
// what it should refuse.
func TestRepeatLate(t *testing.T) {
	all, _ := Cases(Suite)
	cases, _ := Select(all, Server, []string{"2.5"}, nil)
	for name, c := range map[string]struct {
		hangUp time.Duration // how long to wait for the first handshake; 0: until it is answered
		late   time.Duration
		answer []byte
		want   Verdict // on behaviour
		varies string
		played int
	}{
		"late":      {0, 2 * time.Second, nil, OK, "not the same each time: OK / FAILED; OK / OK", 2},
		"never":     {0, time.Minute, nil, OK, "", 1 + lateRepeats},
		"hangs up":  {3 * time.Second, 0, nil, OK, "not the same each time: FAILED / FAILED; OK / OK", 2},
		"otherwise": {0, time.Millisecond, helloFrame, Failed, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				played := 0
				var servers sync.WaitGroup
				defer servers.Wait()
				target := mustTarget(t, "ws://127.0.0.1:9001/")
				target.DialContext = func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					played++
					first := played == 1
					servers.Go(func() {
						defer theirs.Close()
						if first && c.hangUp > 0 {
							go discard(theirs)
							time.Sleep(c.hangUp)
							return
						}
						request, err := http.ReadRequest(bufio.NewReader(theirs))
						if err != nil {
							t.Error(err)
							return
						}
						fmt.Fprintf(theirs, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", wire.Accept(request.Header.Get("Sec-WebSocket-Key")))
						go discard(theirs)
						time.Sleep(c.late)
						theirs.Write(c.answer)
						time.Sleep(time.Duration(len(c.answer)) * time.Second)
					})
					return ours, nil
				}
				r := TestServer(t.Context(), target, cases, &Options{})[0]
				if r.Behavior != c.want || r.Varies != c.varies || played != c.played+1 { // once more to see whether the server is there
					t.Errorf("%s / %s: %s; varies: %q; played %d times, want %d", r.Behavior, r.BehaviorClose, r.Reason, r.Varies, played, c.played)
				}
			})
		})
	}
}

// If a server takes long for each connection, not all connections of a case are opened.
func TestPartsEnd(t *testing.T) {
	all, _ := Cases(Suite)
	cases, _ := Select(all, Server, []string{"H2.24"}, nil)
	many := &Case{ID: "H2.99", Title: cases[0].Title}
	many.inParts(func() (list []*Case) {
		for range 100 {
			part := *cases[0]
			list = append(list, &part)
		}
		return list
	})
	synctest.Test(t, func(t *testing.T) {
		target, _ := served(t, func(_ int, nc net.Conn) {
			nc.Read(make([]byte, 4096))
			time.Sleep(4 * time.Second)
			nc.Write([]byte("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n\r\n"))
		})
		r := TestServer(t.Context(), target, []*Case{many}, &Options{})[0]
		if want := "on 16 connections of 100: there was no time for more"; r.Behavior != OK || !strings.HasSuffix(r.Reason, want) {
			t.Errorf("%s: %s, want %s", r.Behavior, r.Reason, want)
		}
	})
}
