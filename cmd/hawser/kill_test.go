package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hawser-ws/hawser/wsproto"
)

// record is what the clients were told over all lives of the server.
type record struct {
	mu    sync.Mutex
	acked map[string]uint64 // Guarded by mu. ref → seq
	shown map[uint64]string // Guarded by mu. seq → id and content
	sent  map[string]string // Guarded by mu. ref → content
}

func (r *record) note(o object) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	seq := o.number("seq")
	switch o.text("type") {
	case "ack":
		if ref := o.text("ref"); o.text("op") == "group" {
			if old, ok := r.acked[ref]; ok && old != seq {
				return fmt.Errorf("ref %s was acknowledged as %d, and now as %d", ref, old, seq)
			}
			r.acked[ref] = seq
		}
	case "group":
		what := o.text("id") + " " + o.text("content")
		if old, ok := r.shown[seq]; ok && old != what {
			return fmt.Errorf("seq %d was shown as %q, and now as %q", seq, old, what)
		}
		r.shown[seq] = what
	}
	return nil
}

// S01, S11: the server is killed 50 times, or KILLS times, under 100 senders. Every message that
// was acknowledged, or that anyone was shown, is there, once, in the order of
// seq; what is sent again with its ref is stored once.
func TestS01Kill9(t *testing.T) {
	const senders = 100
	cycles := 50
	fmt.Sscan(os.Getenv("KILLS"), &cycles)
	if testing.Short() {
		t.Skip("kills a server 50 times")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	data := t.TempDir()
	off := []string{"--limits.messages-per-second=0", "--limits.burst=0", "--limits.connections-per-address=0", "--limits.guests-per-minute=0"}
	s := launch(t, data, "127.0.0.1:0", off...)
	tokens := make([]string, senders)
	for i := range tokens {
		tokens[i], _ = s.guest(fmt.Sprintf("sender %d", i))
	}
	rec := &record{acked: map[string]uint64{}, shown: map[uint64]string{}, sent: map[string]string{}}
	unacked := make([][]string, senders) // refs of each sender that have no ack yet
	for cycle := range cycles {
		if cycle > 0 {
			s = launch(t, data, "127.0.0.1:0", off...)
		}
		killAt := int64(r.IntN(400))
		if err := killCycle(s, rec, tokens, unacked, cycle, killAt); err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
	}
	s = launch(t, data, "127.0.0.1:0", off...)
	checkHistory(t, s, tokens[0], rec)
}

// killCycle lets everybody send until killAt messages were acknowledged, and
// kills the server under them.
func killCycle(s *service, rec *record, tokens []string, unacked [][]string, cycle int, killAt int64) error {
	var acks atomic.Int64
	var once sync.Once
	kill := func() { once.Do(s.kill) }
	errs := make(chan error, len(tokens))
	for i := range tokens {
		go func() { errs <- sendUntilKilled(s, rec, tokens[i], &unacked[i], i, cycle, &acks, killAt, kill) }()
	}
	var failed error
	for range tokens {
		if err := <-errs; err != nil && failed == nil {
			failed = err
			kill()
		}
	}
	return failed
}

func sendUntilKilled(s *service, rec *record, token string, unacked *[]string, sender, cycle int, acks *atomic.Int64, killAt int64, kill func()) error {
	c, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		return ifAlive(err)
	}
	defer c.nc.Close()
	// What was not acknowledged in an earlier life goes first, under its ref.
	for k := 0; k < 10; k++ {
		ref := fmt.Sprintf("%d.%d.%d", cycle, sender, k)
		rec.mu.Lock()
		rec.sent[ref] = "content of " + ref
		rec.mu.Unlock()
		*unacked = append(*unacked, ref)
	}
	for _, ref := range *unacked {
		if err := c.send(object{"type": "group", "receiver_id": "kill", "content": "content of " + ref, "ref": ref}); err != nil {
			break // killed meanwhile; what had come before is read below
		}
	}
	waiting := map[string]bool{}
	for _, ref := range *unacked {
		waiting[ref] = true
	}
	for {
		o, err := c.next()
		if err != nil {
			break
		}
		if err := rec.note(o); err != nil {
			return err
		}
		switch o.text("type") {
		case "ack":
			delete(waiting, o.text("ref"))
			if acks.Add(1) >= killAt {
				kill()
			}
		case "error":
			return fmt.Errorf("the server says %v", o)
		}
		if len(waiting) == 0 {
			kill() // everybody's last resort: a cycle ends
		}
	}
	*unacked = (*unacked)[:0]
	for ref := range waiting {
		*unacked = append(*unacked, ref)
	}
	return nil
}

// ifAlive leaves out the errors that come of a server that was killed.
func ifAlive(err error) error {
	var closed *closedError
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &closed) && closed.code == wsproto.CloseGoingAway {
		return nil
	}
	return err
}

func checkHistory(t *testing.T, s *service, token string, rec *record) {
	c, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]uint64{}
	last := uint64(0)
	for more := true; more; {
		c.send(object{"type": "history", "receiver_id": "kill", "after_seq": last, "limit": 100})
		h, err := c.until("history")
		if err != nil {
			t.Fatal(err)
		}
		messages, _ := h["messages"].([]any)
		for _, m := range messages {
			o := object(m.(map[string]any))
			seq := o.number("seq")
			if seq != last+1 {
				t.Fatalf("seq %d follows %d", seq, last)
			}
			last = seq
			if old, ok := contents[o.text("content")]; ok {
				t.Fatalf("%q is stored twice, as %d and %d", o.text("content"), old, seq)
			}
			contents[o.text("content")] = seq
			if shown, ok := rec.shown[seq]; ok && shown != o.text("id")+" "+o.text("content") {
				t.Fatalf("seq %d was shown as %q; it is stored as %q", seq, shown, o.text("content"))
			}
		}
		more, _ = h["has_more"].(bool)
	}
	for ref, seq := range rec.acked {
		if contents[rec.sent[ref]] != seq {
			t.Fatalf("ref %s was acknowledged as %d; it is stored as %d", ref, seq, contents[rec.sent[ref]])
		}
	}
	for seq := range rec.shown {
		if seq > last {
			t.Fatalf("seq %d was shown; the history ends at %d", seq, last)
		}
	}
	t.Logf("%d messages sent, %d acknowledged, %d shown, %d stored", len(rec.sent), len(rec.acked), len(rec.shown), last)
	if len(rec.acked) == 0 {
		t.Fatal("nothing was acknowledged: nothing is shown")
	}
}
